package bus

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	events    *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	conflicts *prometheus.CounterVec
	parked    *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: name, Help: help}, labels)
	}
	m := &metrics{
		events:    counter("invoice_events_total", "Events recorded on INVOICES by this process.", "event"),
		outcomes:  counter("deliveries_total", "Deliveries by what became of them: done, retry, hold, park.", "worker", "outcome"),
		conflicts: counter("append_conflicts_total", "Appends that another event came before; each was decided anew.", "worker"),
		parked:    counter("parked_total", "Messages parked by this process.", "worker"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "seqrflow", Name: "handler_seconds", Help: "Time a worker took for one delivery, the provider's call included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, []string{"worker"}),
	}
	if reg != nil {
		reg.MustRegister(m.events, m.outcomes, m.conflicts, m.parked, m.seconds)
	}
	return m
}

func (m *metrics) handled(worker string, k kind, d time.Duration) {
	m.outcomes.WithLabelValues(worker, string(k)).Inc()
	m.seconds.WithLabelValues(worker).Observe(d.Seconds())
}
