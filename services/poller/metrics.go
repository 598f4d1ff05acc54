package poller

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	held     prometheus.Gauge
	worst    prometheus.Gauge
	left     prometheus.Gauge
	lateness prometheus.Histogram
	gap      prometheus.Histogram
	polls    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "seqrflow", Subsystem: "poller", Name: name, Help: help})
	}
	m := &metrics{
		held:  gauge("held_invoices", "Open invoices that this process polls."),
		worst: gauge("oldest_answer_seconds", "Time since the provider last answered about the invoice that has waited longest."),
		left:  gauge("seconds_before_reversal", "20 s less the oldest answer: what is left before an unfetched payment is reversed. Alert below 10."),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "seqrflow", Subsystem: "poller", Name: "lateness_seconds", Help: "From when a poll was due to when it was made.",
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20},
		}),
		gap: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "seqrflow", Subsystem: "poller", Name: "answer_gap_seconds", Help: "Between two answered polls of one invoice; 20 s reverses a payment.",
			Buckets: []float64{.5, 1, 1.2, 1.5, 2, 3, 5, 8, 10, 12, 15, 18, 20},
		}),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "seqrflow", Subsystem: "poller", Name: "polls_total", Help: "Polls by the status that the provider gave, or error.",
		}, []string{"status"}),
	}
	if reg != nil {
		reg.MustRegister(m.held, m.worst, m.left, m.lateness, m.gap, m.polls)
	}
	return m
}
