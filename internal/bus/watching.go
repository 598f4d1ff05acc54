package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Watching is what a poller tells of itself once a second, at a full second of the broker's clock, so that the numbers of
// all pollers are of the same moment. It may be lost.
type Watching struct {
	ID      string  `json:"-"`                 // of the process, a subject token
	Held    int     `json:"held"`              // entries of the index that it has a lease of
	Polls   float64 `json:"pollsPerSecond"`    // calls of getPaymentStatus that it makes
	Oldest  float64 `json:"oldest"`            // seconds since the answer that is the longest ago
	Up      float64 `json:"up,omitempty"`      // seconds that it has been running
	Serves  string  `json:"serves,omitempty"`  // tells apart pollers that are set to serve different shops
	Leaving bool    `json:"leaving,omitempty"` // it stops
}

const (
	watchingPrefix = "watching."
	// watchingFor is how long a poller that is not heard of counts as living.
	watchingFor = 3 * time.Second
)

// Announce publishes what this poller watches.
func (b *Bus) Announce(w Watching) error {
	body, err := events.Encode(w)
	if err != nil {
		return err
	}
	return b.nc.Publish(watchingPrefix+w.ID, body)
}

// Announcements gives what every poller, this one too, tells of itself to take, until ctx ends.
func (b *Bus) Announcements(ctx context.Context, take func(Watching)) error {
	sub, err := b.nc.Subscribe(watchingPrefix+"*", func(m *nats.Msg) {
		w := Watching{ID: strings.TrimPrefix(m.Subject, watchingPrefix)}
		if events.IsToken(w.ID) && json.Unmarshal(m.Data, &w) == nil && w.Held >= 0 {
			take(w)
		}
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return sub.Unsubscribe()
}

// EverySecond calls do at each full second of the broker's clock until ctx ends.
func (b *Bus) EverySecond(ctx context.Context, do func()) {
	for {
		now := b.Now()
		if !pause(ctx, now.Truncate(time.Second).Add(time.Second).Sub(now)) {
			return
		}
		do()
	}
}

// Roll is the pollers that live, by what they announced last. It is safe for concurrent use.
type Roll struct {
	mu    sync.Mutex
	heard map[string]announced
}

type announced struct {
	Watching
	at time.Time
}

// Note takes an announcement in.
func (r *Roll) Note(w Watching, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heard == nil {
		r.heard = map[string]announced{}
	}
	if r.heard[w.ID] = (announced{w, now}); w.Leaving {
		delete(r.heard, w.ID)
	}
}

// Living gives those that were heard of lately, by their ids.
func (r *Roll) Living(now time.Time) map[string]Watching {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]Watching, len(r.heard))
	for id, a := range r.heard {
		if now.Sub(a.at) > watchingFor {
			delete(r.heard, id)
			continue
		}
		out[id] = a.Watching
	}
	return out
}

// OpenGauge tells how many invoices are open and how many of them no living poller watches. It needs no poller: it
// compares the index with what pollers announce, once a second while Run runs.
type OpenGauge struct {
	bus             *Bus
	open, unwatched *prometheus.Desc
	roll            Roll

	mu      sync.Mutex
	samples []openSample // of the last watchingFor, the newest last
	since   time.Time    // from when on something was unwatched in every sample
}

type openSample struct {
	at         time.Time
	open, held int
}

// NewOpenGauge of the broker's index. Its figures begin watchingFor after Run.
func NewOpenGauge(b *Bus) *OpenGauge {
	return &OpenGauge{
		bus:       b,
		open:      prometheus.NewDesc("seqrflow_open_invoices", "Open invoices: those that a buyer may still pay, whoever polls them.", nil, nil),
		unwatched: prometheus.NewDesc("seqrflow_unwatched_invoices", "Open invoices that no living poller has held for 3 s. A payment of one is reversed after 20 s. Alert above 0.", nil, nil),
	}
}

// Register registers the gauge, unless the registry has one already: several workers of a process may each bring theirs.
func (g *OpenGauge) Register(reg prometheus.Registerer) error {
	err := reg.Register(g)
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}

// Describe implements prometheus.Collector.
func (g *OpenGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.open; ch <- g.unwatched }

// Collect implements prometheus.Collector. While the broker does not answer there are no figures.
func (g *OpenGauge) Collect(ch chan<- prometheus.Metric) {
	open, unwatched, ok := g.Count()
	if !ok {
		return
	}
	ch <- prometheus.MustNewConstMetric(g.open, prometheus.GaugeValue, float64(open))
	ch <- prometheus.MustNewConstMetric(g.unwatched, prometheus.GaugeValue, float64(unwatched))
}

// Run compares until ctx ends.
func (g *OpenGauge) Run(ctx context.Context) error {
	begun := time.Now()
	alive, end := context.WithCancel(ctx)
	var sampling sync.WaitGroup
	defer sampling.Wait()
	defer end()
	sampling.Go(func() {
		g.bus.EverySecond(alive, func() {
			open, err := g.bus.OpenCount(alive)
			if err != nil || !pause(alive, announceTime) || time.Since(begun) < watchingFor {
				return // no figures is what Count says of samples that have become old
			}
			g.add(openSample{time.Now(), int(min(open, 1<<40)), g.held()})
		})
	})
	return g.bus.Announcements(alive, func(w Watching) { g.roll.Note(w, time.Now()) })
}

// announceTime is how long after the full second the announcements of that second are in.
const announceTime = 300 * time.Millisecond

func (g *OpenGauge) held() (n int) {
	for _, w := range g.roll.Living(time.Now()) {
		n += w.Held
	}
	return n
}

func (g *OpenGauge) add(s openSample) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.samples) > 0 && s.at.Sub(g.samples[0].at) > watchingFor+announceTime {
		g.samples = g.samples[1:]
	}
	g.samples = append(g.samples, s)
	switch {
	case s.open <= s.held:
		g.since = time.Time{}
	case g.since.IsZero():
		g.since = s.at
	}
}

// Count is the newest count of open invoices, and the least number that was unwatched in all of the last 3 s: an entry that
// goes from one copy to another is no alarm. ok is false while nothing was counted lately.
func (g *OpenGauge) Count() (open, unwatched int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.samples) == 0 {
		return 0, 0, false
	}
	last := g.samples[len(g.samples)-1]
	if time.Since(last.at) > 2*watchingFor {
		return 0, 0, false
	}
	unwatched = last.open - last.held
	for _, s := range g.samples {
		unwatched = min(unwatched, s.open-s.held)
	}
	return last.open, max(unwatched, 0), true
}

// Unwatched is for how long some invoice has been open and watched by nobody; 0 when every one is watched, or was a few
// seconds ago.
func (g *OpenGauge) Unwatched() time.Duration {
	if _, n, ok := g.Count(); !ok || n == 0 {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.since.IsZero() {
		return 0
	}
	return time.Since(g.since)
}
