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
	foreign   prometheus.Counter
	skew      prometheus.Gauge

	refusedWrites prometheus.Counter
	refusedOrders *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: name, Help: help}, labels)
	}
	m := &metrics{
		events:    counter("invoice_events_total", "Events recorded on INVOICES by this process.", "event"),
		outcomes:  counter("deliveries_total", "Deliveries by what became of them: done, retry, snooze, unanswered (the provider gave no answer), dropped (another copy may have it), park.", "worker", "outcome"),
		conflicts: counter("append_conflicts_total", "Appends that another event came before; each was decided anew.", "worker"),
		parked:    counter("parked_total", "Messages parked by this process.", "worker"),
		foreign: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "foreign_events_total",
			Help: "Messages on INVOICES that no worker has written; each is passed over and parked. Alert above 0."}),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "seqrflow", Name: "clock_skew_seconds",
			Help: "The broker's clock less this machine's. Beyond 2 s nothing expires here."}),
		refusedWrites: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "broker_refused_writes_total",
			Help: "Writes that the broker refused for want of room."}),
		refusedOrders: counter("incoming_orders_refused_total", "Order events that a shop published to its own account and that were not stored: over its quota, or the broker failed. Its publisher was told.", "shop"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "seqrflow", Name: "handler_seconds", Help: "Time a worker took for one delivery, the provider's call included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, []string{"worker"}),
	}
	if reg != nil {
		reg.MustRegister(m.events, m.outcomes, m.conflicts, m.parked, m.foreign, m.skew, m.refusedWrites, m.refusedOrders, m.seconds)
	}
	return m
}

func (m *metrics) handled(worker string, k kind, d time.Duration) {
	m.outcomes.WithLabelValues(worker, string(k)).Inc()
	m.seconds.WithLabelValues(worker).Observe(d.Seconds())
}
