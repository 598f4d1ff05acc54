package watching

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// Gauge is the metric of open invoices, and of those that no living poller holds. It compares the index of open invoices with what
// pollers announce, once a second while Run runs, in any process. It is safe for concurrent use.
type Gauge struct {
	bus             *bus.Bus
	open, unwatched *prometheus.Desc

	// Pollers are those that live, while Run runs.
	Pollers Pollers

	mu      sync.Mutex
	samples []sample  // of the last 3 s, the newest last
	since   time.Time // from when on some invoice was unwatched in every sample
}

type sample struct {
	at         time.Time
	open, held int
}

// NewGauge makes a gauge. It has figures from 3 s after Run on.
func NewGauge(b *bus.Bus) *Gauge {
	return &Gauge{
		bus:       b,
		open:      prometheus.NewDesc("seqrflow_open_invoices", "Open invoices: those that a buyer may still pay, polled or not.", nil, nil),
		unwatched: prometheus.NewDesc("seqrflow_unwatched_invoices", "Open invoices that no living poller has held for 3 s. A payment of one is reversed after 20 s. Alert above 0.", nil, nil),
	}
}

// Register registers the gauge, unless the registry has one already: several workers of a process may each bring one.
func (g *Gauge) Register(reg prometheus.Registerer) error {
	err := reg.Register(g)
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}

// Describe implements prometheus.Collector.
func (g *Gauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.open; ch <- g.unwatched }

// Collect implements prometheus.Collector. There are no figures while the broker does not answer.
func (g *Gauge) Collect(ch chan<- prometheus.Metric) {
	open, unwatched, ok := g.Count()
	if !ok {
		return
	}
	ch <- prometheus.MustNewConstMetric(g.open, prometheus.GaugeValue, float64(open))
	ch <- prometheus.MustNewConstMetric(g.unwatched, prometheus.GaugeValue, float64(unwatched))
}

// Run compares until ctx ends.
func (g *Gauge) Run(ctx context.Context) error {
	begun := time.Now()
	alive, end := context.WithCancel(ctx)
	var sampling sync.WaitGroup
	defer sampling.Wait()
	defer end()
	sampling.Go(func() {
		EverySecond(alive, g.bus, func() {
			open, err := g.bus.OpenCount(alive)
			select {
			case <-alive.Done():
			case <-time.After(announceTime):
			}
			if err != nil || time.Since(begun) < livesFor {
				return // Count gives no figures from old samples
			}
			g.add(sample{time.Now(), int(min(open, 1<<40)), g.Pollers.Held(time.Now())})
		})
	})
	return Listen(alive, g.bus, func(a Announcement) { g.Pollers.Note(a, time.Now()) })
}

// announceTime is how long after the full second the announcements of that second are in.
const announceTime = 300 * time.Millisecond

func (g *Gauge) add(s sample) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.samples) > 0 && s.at.Sub(g.samples[0].at) > livesFor+announceTime {
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
func (g *Gauge) Count() (open, unwatched int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.samples) == 0 {
		return 0, 0, false
	}
	last := g.samples[len(g.samples)-1]
	if time.Since(last.at) > 2*livesFor {
		return 0, 0, false
	}
	unwatched = last.open - last.held
	for _, s := range g.samples {
		unwatched = min(unwatched, s.open-s.held)
	}
	return last.open, max(unwatched, 0), true
}

// Unwatched is for how long some invoice has been open and held by no poller; 0 when every one is held, or was a few seconds
// ago.
func (g *Gauge) Unwatched() time.Duration {
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
