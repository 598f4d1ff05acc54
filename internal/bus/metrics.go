package bus

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/pkg/events"
)

type metrics struct {
	events    *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	conflicts *prometheus.CounterVec
	parked    *prometheus.CounterVec
	foreign   prometheus.Counter
	skew      prometheus.Gauge

	stuck *stuckGauge

	refusedWrites prometheus.Counter
	refusing      prometheus.Gauge
	refusedOrders *prometheus.CounterVec
	seconds       *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: name, Help: help}, labels)
	}
	m := &metrics{
		stuck:     newStuckGauge(),
		events:    counter("invoice_events_total", "Events that this process has recorded on INVOICES and PERIODS, by their names.", "event"),
		outcomes:  counter("deliveries_total", "Deliveries by what became of them: done, park, dropped (another copy may have it); and those that come again: waiting (for something else to happen, such as the payment: no fault), unanswered (the provider gave no answer), error (it answered with an error of its own), busy (it said to come later), broker (the broker failed), elsewhere (this copy lacks the terminal's credentials).", "worker", "outcome"),
		conflicts: counter("append_conflicts_total", "Events that were not recorded because another event of the invoice or period came first; each was decided anew. Harmless.", "worker"),
		parked:    counter("parked_total", "Messages that this process has parked: a person has to look at each.", "worker"),
		foreign: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "foreign_events_total",
			Help: "Messages on INVOICES that no worker has written; each is passed over and parked. Alert above 0."}),
		skew: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "seqrflow", Name: "clock_skew_seconds",
			Help: "The broker's clock less this machine's, in seconds. Beyond 2 s nothing expires here."}),
		refusedWrites: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "broker_refused_writes_total",
			Help: "Writes of this process that the broker refused for want of room. Alert above 0."}),
		refusing: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "seqrflow", Name: "broker_refuses_writes",
			Help: "1 while the broker has refused this process's last write to some stream for want of room, or has not answered it, else 0. Alert above 0."}),
		refusedOrders: counter("incoming_orders_refused_total", "Order events that a shop published to its own account and that were not stored: over its quota, or the broker failed. Its publisher was told.", "shop"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "seqrflow", Name: "handler_seconds", Help: "Seconds that a worker took to handle one delivery, the provider's call included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}, []string{"worker"}),
	}
	for _, t := range events.Transitions() {
		m.events.WithLabelValues(string(t.On))
	}
	for _, e := range events.PeriodEvents() {
		m.events.WithLabelValues(string(e))
	}
	if reg != nil {
		reg.MustRegister(m.events, m.outcomes, m.conflicts, m.parked, m.foreign, m.skew, m.refusedWrites, m.refusing, m.refusedOrders, m.seconds, m.stuck)
	}
	return m
}

func (m *metrics) handled(worker string, o Outcome, d time.Duration) {
	m.outcomes.WithLabelValues(worker, o.Label()).Inc()
	m.seconds.WithLabelValues(worker).Observe(d.Seconds())
}

// begin makes the worker's counters, at 0: a counter that is only there after the first failure shows no rise. It gives what
// remembers the worker's deliveries that are not finished, until stuck.end.
func (m *metrics) begin(worker string) *unfinished {
	for _, outcome := range append(Reasons(), string(done), string(park), string(dropped)) {
		m.outcomes.WithLabelValues(worker, outcome)
	}
	m.seconds.WithLabelValues(worker)
	m.counts(worker)
	return m.stuck.begin(worker)
}

// counts makes the counters, at 0, that a worker has also when it uses [Bus.Lease].
func (m *metrics) counts(worker string) {
	m.parked.WithLabelValues(worker)
	m.conflicts.WithLabelValues(worker)
}
