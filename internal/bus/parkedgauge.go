package bus

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// countingTime bounds how long a scrape waits for the parked messages to be counted.
const countingTime = time.Second

// ParkedGauge is the metric of the parked messages that wait for a person: their number, and the age of the oldest. Each scrape reads
// on from where the last one ended.
type ParkedGauge struct {
	bus           *Bus
	count, oldest *prometheus.Desc

	mu   sync.Mutex
	off  bool // this process's user may not read PARKED
	open openParked
}

// NewParkedGauge makes the metric. It is not registered.
func NewParkedGauge(b *Bus) *ParkedGauge {
	return &ParkedGauge{
		bus:    b,
		open:   openParked{counts: true},
		count:  prometheus.NewDesc("seqrflow_parked_open", "Messages that are parked and were neither replayed nor dismissed, by all workers.", nil, nil),
		oldest: prometheus.NewDesc("seqrflow_parked_oldest_seconds", "Seconds since the oldest of the open parked messages was parked; 0 when there is none.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *ParkedGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.count; ch <- g.oldest }

// Collect implements prometheus.Collector. It takes a second at most, and gives no figures while the broker does not answer, or while
// PARKED is so long that several scrapes have to read it.
func (g *ParkedGauge) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countingTime)
	defer cancel()
	if !g.mu.TryLock() {
		return // another scrape is counting
	}
	defer g.mu.Unlock()
	if g.off {
		return
	}
	if err := g.open.read(ctx, g.bus); err != nil {
		if refused(g.bus.denied(err)) {
			g.off = true // the figures of processes that may are enough
			return
		}
		g.bus.log.Warn().Err(err).Uint64("read", g.open.upTo).Msg("counting what is parked; the next scrape goes on")
		return
	}
	open, age := g.open.list(), time.Duration(0)
	if len(open) > 0 {
		age = max(0, g.bus.Now().Sub(open[0].Stored))
	}
	ch <- prometheus.MustNewConstMetric(g.count, prometheus.GaugeValue, float64(len(open)))
	ch <- prometheus.MustNewConstMetric(g.oldest, prometheus.GaugeValue, age.Seconds())
}
