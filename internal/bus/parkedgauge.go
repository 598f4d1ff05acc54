package bus

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ParkedGauge tells at each scrape how many messages are parked and not replayed, and how old the
// oldest is. It reads on from where the last scrape ended.
type ParkedGauge struct {
	bus           *Bus
	count, oldest *prometheus.Desc

	mu   sync.Mutex
	next uint64
	open map[uint64]time.Time
}

// NewParkedGauge of the broker's PARKED stream.
func NewParkedGauge(b *Bus) *ParkedGauge {
	return &ParkedGauge{
		bus: b, next: 1, open: map[uint64]time.Time{},
		count:  prometheus.NewDesc("seqrflow_parked_open", "Messages that are parked and were not replayed, by all workers.", nil, nil),
		oldest: prometheus.NewDesc("seqrflow_parked_oldest_seconds", "Age of the oldest of them; 0 when there is none.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *ParkedGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.count; ch <- g.oldest }

// Collect implements prometheus.Collector. While the broker does not answer there are no figures.
func (g *ParkedGauge) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	n, age, err := g.read(ctx)
	if err != nil {
		g.bus.log.Warn().Err(err).Msg("counting what is parked")
		return
	}
	ch <- prometheus.MustNewConstMetric(g.count, prometheus.GaugeValue, float64(n))
	ch <- prometheus.MustNewConstMetric(g.oldest, prometheus.GaugeValue, age.Seconds())
}

func (g *ParkedGauge) read(ctx context.Context) (n int, age time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err = g.bus.Scan(ctx, Scan{Stream: events.ParkedStream, From: g.next}, func(m Scanned) error {
		g.next = m.Seq + 1
		p, replayed, err := DecodeParked(m.Body)
		switch {
		case err != nil: // not ours; counted as of now, so that somebody looks
			g.open[m.Seq] = g.bus.Now()
		case replayed:
			delete(g.open, p.Replays)
		default:
			g.open[m.Seq] = p.At
		}
		return nil
	})
	for _, at := range g.open {
		age = max(age, g.bus.Now().Sub(at))
	}
	return len(g.open), age, err
}
