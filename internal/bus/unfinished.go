package bus

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// mostUnfinished is how many deliveries are remembered. When there are more, those that were not seen for long are forgotten
	// first.
	mostUnfinished = 10_000
	// unfinishedFor is how long a delivery is remembered that has not come again: another copy has it, or has finished it. It is
	// longer than any pause.
	unfinishedFor = 5 * time.Minute
)

// unfinished is what this copy of a worker remembers of the deliveries that it has tried and not finished. It is safe for concurrent
// use.
type unfinished struct {
	mu     sync.Mutex
	of     map[place]*attempted
	silent map[string]*attempted // terminals that give no answer, by name
}

// place names a delivery.
type place struct {
	stream string
	seq    uint64
}

// attempted is what is known of a delivery, or of a silent terminal.
type attempted struct {
	shop, id string    // subject tokens
	seen     time.Time // when the delivery came last
	Stuck
}

func newUnfinished() *unfinished {
	return &unfinished{of: map[place]*attempted{}, silent: map[string]*attempted{}}
}

// note remembers an attempt that did not finish the delivery, and gives what is known of the delivery then.
func (u *unfinished) note(d Delivery, terminal string, o Outcome, now time.Time) Stuck {
	u.mu.Lock()
	defer u.mu.Unlock()
	why := ""
	if o.err != nil {
		why = o.err.Error()
	}
	at := place{d.Stream, d.Seq}
	known := u.of[at]
	if known == nil {
		if len(u.of) >= mostUnfinished {
			u.makeRoom(now)
		}
		shop, id := addressee(d.Subject)
		known = &attempted{shop: shop, id: id, Stuck: Stuck{Since: now}}
		u.of[at] = known
	}
	known.Attempts++
	known.Reason, known.Why, known.Last, known.seen = o.Label(), why, now, now
	if o.answer() == unanswered {
		if u.silent[terminal] == nil {
			u.silent[terminal] = &attempted{Stuck: Stuck{Since: now, Terminal: terminal}}
		}
		s := u.silent[terminal]
		s.Reason, s.Why, s.Last = known.Reason, why, now
	}
	return known.Stuck
}

// makeRoom forgets what was not seen for long, and if there is nothing of that kind, some of the rest.
func (u *unfinished) makeRoom(now time.Time) {
	u.tidy(now)
	for at := range u.of {
		if len(u.of) < mostUnfinished*9/10 {
			return
		}
		delete(u.of, at)
	}
}

func (u *unfinished) tidy(now time.Time) {
	maps.DeleteFunc(u.of, func(_ place, a *attempted) bool { return now.Sub(a.seen) > unfinishedFor })
}

// ended forgets a delivery.
func (u *unfinished) ended(d Delivery) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.of, place{d.Stream, d.Seq})
}

// saw notes that a delivery has come again: no other copy has finished it.
func (u *unfinished) saw(d Delivery, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if a := u.of[place{d.Stream, d.Seq}]; a != nil {
		a.seen = now
	}
}

// answered notes that a terminal gives answers again.
func (u *unfinished) answered(terminal string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.silent, terminal)
}

// find gives what is remembered of the shop's deliveries with that id. Of a delivery that was not tried because its terminal is
// silent, it tells of the terminal.
func (u *unfinished) find(shop, id, terminal string, silent bool, now time.Time) []Stuck {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tidy(now)
	var out []Stuck
	for _, a := range u.of {
		if a.shop == shop && a.id == id {
			out = append(out, a.Stuck)
		}
	}
	if s := u.silent[terminal]; len(out) == 0 && silent && s != nil {
		out = append(out, s.Stuck)
	}
	return out
}

// counts gives the number of deliveries for each reason.
func (u *unfinished) counts(now time.Time) map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tidy(now)
	out := map[string]int{}
	for _, a := range u.of {
		out[a.Reason]++
	}
	return out
}

// stuckGauge is the metric of the deliveries that the workers of this process have not finished.
type stuckGauge struct {
	desc *prometheus.Desc
	mu   sync.Mutex
	of   map[*unfinished]string // the worker of each
}

func newStuckGauge() *stuckGauge {
	return &stuckGauge{of: map[*unfinished]string{}, desc: prometheus.NewDesc("seqrflow_stuck_messages",
		"Messages that this process has tried and not finished, by worker and reason of the last attempt: waiting (for something else to happen, such as the payment), unanswered, error, busy (all three: the provider), broker. At most 10000 of a worker are counted.",
		[]string{"worker", "reason"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *stuckGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements prometheus.Collector.
func (g *stuckGauge) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	sums := map[[2]string]int{}
	for u, worker := range g.of {
		counts := u.counts(time.Now())
		for _, r := range Reasons() {
			sums[[2]string{worker, r}] += counts[r]
		}
	}
	for k, n := range sums {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(n), k[0], k[1])
	}
}

func (g *stuckGauge) begin(worker string) *unfinished {
	g.mu.Lock()
	defer g.mu.Unlock()
	u := newUnfinished()
	g.of[u] = worker
	return u
}

func (g *stuckGauge) end(u *unfinished) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.of, u)
}
