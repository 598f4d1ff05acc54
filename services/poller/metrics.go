package poller

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type metrics struct {
	held         prometheus.Gauge
	oldestAnswer prometheus.Gauge
	secondsLeft  prometheus.Gauge
	underWay     prometheus.Gauge
	limit        prometheus.Gauge
	lateness     prometheus.Histogram
	gap          prometheus.Histogram
	polls        *prometheus.CounterVec
	hints        map[bool]prometheus.Counter // by whether the hint was taken
	notServed    *prometheus.CounterVec
	refused      *prometheus.CounterVec
	unrecorded   prometheus.Counter
	reversed     prometheus.Counter
}

// newMetrics registers the metrics, unless reg is nil.
func newMetrics(reg prometheus.Registerer) metrics {
	auto := promauto.With(reg)
	gauge := func(name, help string) prometheus.Gauge {
		return auto.NewGauge(prometheus.GaugeOpts{Name: "seqrflow_" + name, Help: help})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return auto.NewCounterVec(prometheus.CounterOpts{Name: "seqrflow_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets ...float64) prometheus.Histogram {
		return auto.NewHistogram(prometheus.HistogramOpts{Name: "seqrflow_" + name, Help: help, Buckets: buckets})
	}
	hints := counter("poller_hints_total", "Hints about invoices that are held: taken, or over the budget, so that the invoice waits for its own turn.", "outcome")
	m := metrics{
		held:         gauge("poller_held_invoices", "Open invoices that this process holds: it polls them, or waits for them to be recorded."),
		oldestAnswer: gauge("poller_oldest_answer_seconds", "Seconds since the provider last answered about the invoice that has waited longest."),
		secondsLeft:  gauge("poller_seconds_before_reversal", "20 s less the age of the oldest answer, or less the time that an open invoice is watched by no poller: what is left before an unfetched payment is reversed. Alert below 10."),
		underWay:     gauge("poller_calls", "Polls that wait for their answer."),
		limit:        gauge("poller_calls_limit", "Polls that may wait for their answer at once (--poll-concurrency)."),
		lateness:     histogram("poller_lateness_seconds", "Seconds from when a poll was due to when it was made.", .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20),
		gap: histogram("poller_answer_gap_seconds", "Seconds between two answered polls of one invoice; 20 s reverses a payment.",
			.2, .5, 1, 1.2, 1.5, 2, 3, 5, 8, 10, 12, 15, 18, 20),
		polls:      counter("poller_polls_total", "Polls by the status that the provider gave, or error.", "status"),
		hints:      map[bool]prometheus.Counter{true: hints.WithLabelValues("taken"), false: hints.WithLabelValues("over budget")},
		notServed:  counter("poller_not_served_total", "Entries given back because this process does not serve the shop or lacks the terminal's credentials.", "shop"),
		refused:    counter("poller_refused_credentials_total", "Polls that the provider refused because of who asks: nobody can poll with these credentials. Alert above 0.", "terminal"),
		unrecorded: counter("payments_unrecorded_total", "Payments that cannot be recorded because the stream has lost the invoice; each is parked with all that is known. Alert above 0.").WithLabelValues(),
		reversed:   counter("possible_reversals_total", "Invoices found canceled after 19 s or more without an answer about them: a payment may have been made and reversed by the provider meanwhile. Alert above 0.").WithLabelValues(),
	}
	for _, s := range append(statuses(), "other", "error") {
		m.polls.WithLabelValues(string(s))
	}
	return m
}

func statusLabel(s seqr.InvoiceStatus) string {
	if slices.Contains(statuses(), s) {
		return string(s)
	}
	return "other"
}

func statuses() []seqr.InvoiceStatus {
	return []seqr.InvoiceStatus{seqr.StatusIssued, seqr.StatusPaid, seqr.StatusPendingIssuerAcknowledge, seqr.StatusCanceled,
		seqr.StatusFailed, seqr.StatusReserved, seqr.StatusExpired, seqr.StatusPartiallyPaid}
}
