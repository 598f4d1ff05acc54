package bus

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stuckGauge counts, at each scrape, what the copies of this process have not finished.
type stuckGauge struct {
	desc *prometheus.Desc
	mu   sync.Mutex
	of   map[*troubles]string // and the worker
}

func newStuckGauge() *stuckGauge {
	return &stuckGauge{of: map[*troubles]string{}, desc: prometheus.NewDesc("seqrflow_stuck_messages",
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
	for t, worker := range g.of {
		counts := t.counts(time.Now())
		for _, r := range Reasons() {
			sums[[2]string{worker, r}] += counts[r]
		}
	}
	for k, n := range sums {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(n), k[0], k[1])
	}
}

func (g *stuckGauge) begin(worker string) *troubles {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := newTroubles()
	g.of[t] = worker
	return t
}

func (g *stuckGauge) end(t *troubles) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.of, t)
}
