// Package poller watches every open invoice until the provider has said how it ended.
//
//	leases    the index of open invoices, open.*.*: one entry each, from before sendInvoice to the invoice's end
//	listens   hints.*.*: poll this one now; issued.*.*: it was recorded just now; watching.*: what the other pollers hold
//	calls     getPaymentStatus, once a second for each invoice; commitReservation when it says RESERVED
//	appends   paid, reserved, canceled, failed, expired, overdue
//	publishes watching.<id>, once a second
//
// The provider reverses a payment whose PAID status is not fetched within 20 s. An invoice that has ended, recorded or parked,
// is removed from the index. So a start takes no longer after a long history.
//
// One goroutine, the loop, owns the scheduler and every invoice that this copy holds. An invoice goes through the
// files in this order:
//
//	lease.go     an entry of the index is delivered and kept; its invoice is loaded; entry.go says what the entry asks for
//	loop.go      the invoice is taken in, waits until it is recorded, is polled at its turn or after a hint
//	scheduler.go which invoice is asked about next (pure); terminal.go is what is known of each terminal
//	poll.go      the provider is asked once; its answer becomes an action, which is executed: the event is appended, the
//	             entry removed, or the invoice parked
//	survey.go    once a second: what is overdue, lost, or late, and how much is another copy's share
//
// Every duration and limit stands in timing.go with its reason.
//
// Sizing: calls at once = open invoices × the provider's latency / interval. 3,500 invoices at a latency of 1 s and an
// interval of 1 s need 3,500. As many are made as are needed, up to Config.Concurrency. When that is too low, each invoice is
// asked about every open invoices × latency / Concurrency seconds; a warning and the lateness tell of it long before a
// payment is in danger.
package poller

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/internal/sometimes"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name is the worker's name, in events, log lines and on the broker.
const Name = "poller"

// Provider is the calls that this worker makes; *seqr.Client implements it. It is called by many goroutines at once.
type Provider interface {
	GetPaymentStatus(context.Context, seqr.GetPaymentStatus) (seqr.PaymentStatus, error)
	CommitReservation(context.Context, seqr.CommitReservation) error
}

// Config is what a Worker needs. Bus, Provider and Shops must be set.
type Config struct {
	Bus         *bus.Bus
	Provider    Provider
	Shops       calls.Shops           // the credentials of each invoice's terminal
	Only        []string              // polls only these shops' invoices; empty polls all
	Interval    time.Duration         // between two polls of one invoice, default 1 s
	Concurrency int                   // polls at once, default 1024
	Metrics     prometheus.Registerer // nil keeps them unregistered
	Log         zerolog.Logger

	// Observe gets how late each poll begins, for measurements that need more than the histogram. It is called on the
	// loop's goroutine, so it must be quick; nil observes nothing.
	Observe func(late time.Duration)
}

// Worker polls open invoices. Any number of copies may run; the broker shares the invoices out among them.
type Worker struct {
	Config
	metrics   metrics
	open      *watching.Gauge
	started   time.Time // what instants are counted from
	sometimes sometimes.Sometimes
	roll      *watching.Pollers
	records   chan struct{} // bounds what is recorded at once

	// Of one Run.
	id     string
	inHand context.Context // of the polls under way
}

// New makes a Worker and registers its metrics.
func New(c Config) *Worker {
	c.Interval, c.Concurrency = cmp.Or(c.Interval, defaultInterval), cmp.Or(c.Concurrency, defaultConcurrency)
	p := &Worker{Config: c, metrics: newMetrics(c.Metrics), open: watching.NewGauge(c.Bus), started: time.Now(),
		records: make(chan struct{}, c.Concurrency)}
	p.roll = &p.open.Pollers
	p.metrics.limit.Set(float64(c.Concurrency))
	if c.Metrics != nil {
		if err := p.open.Register(c.Metrics); err != nil {
			c.Log.Error().Err(err).Str("worker", Name).Msg("the figures of open invoices")
		}
	}
	return p
}

// Consumers is the durable that all copies share. It has no settings.
func Consumers() []bus.Consumer {
	return []bus.Consumer{{Worker: Name, Name: Name, Stream: events.OpenStream, Filters: []string{events.OpenSubjects}, AckWait: ackWait}}
}

// Run polls until ctx ends. Then polls under way have 3 s to finish, and everything that is held is given back, so that
// another copy polls it at once. The error says why the broker cannot be used at all; outages are waited out.
func (p *Worker) Run(ctx context.Context) error {
	inHand, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	p.id, p.inHand = nuid.Next(), inHand
	l := newLoop(p, abandon)
	if err := p.Bus.AnswerStuck(inHand, Name, l.answerStuck); err != nil {
		return err
	}
	go l.run() // Lease ends it

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { l.sendAnnouncements(); return nil })
	g.Go(func() error { return p.Bus.Lease(gctx, Consumers()[0], l.acceptDelivery, l.stop) })
	g.Go(func() error { return p.Bus.Hints(gctx, offer(l.hints), offer(l.issued)) })
	g.Go(func() error { return p.open.Run(gctx) })
	g.Go(func() error {
		watching.EverySecond(gctx, p.Bus, func() { l.do(l.survey) })
		return nil
	})
	return g.Wait()
}

// offer passes hints on. A hint is dropped when the loop is behind: the invoice's own turn comes anyway.
func offer(hints chan<- events.Key) func(events.Key) {
	return func(k events.Key) {
		select {
		case hints <- k:
		default:
		}
	}
}

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
