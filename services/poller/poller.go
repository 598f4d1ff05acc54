package poller

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nuid"
	"github.com/prometheus/client_golang/prometheus"
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
	records   chan struct{} // bounds what is recorded at once

	// Of one Run.
	id     string
	inHand context.Context // of the polls under way
	roll   *watching.Pollers
}

// New makes a Worker and registers its metrics.
func New(c Config) *Worker {
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	p := &Worker{Config: c, metrics: newMetrics(c.Metrics), open: watching.NewGauge(c.Bus), started: time.Now(),
		records: make(chan struct{}, c.Concurrency)}
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

// serves says whether this copy is set to poll the shop's invoices.
func (p *Worker) serves(shop string) bool {
	return len(p.Only) == 0 || slices.ContainsFunc(p.Only, func(s string) bool { return events.Token(s) == shop })
}

// Run polls until ctx ends. Then polls under way have 3 s to finish, and everything that is held is given back, so that
// another copy polls it at once. The error says why the broker cannot be used at all; outages are waited out.
func (p *Worker) Run(ctx context.Context) error {
	inHand, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	p.id, p.inHand, p.roll = nuid.Next(), inHand, &watching.Pollers{}
	l := newLoop(p, abandon)
	stop, err := p.Bus.AnswerStuck(Name, l.answerStuck)
	if err != nil {
		return err
	}
	defer stop()
	go l.run() // Lease ends it

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { l.sendAnnouncements(); return nil })
	g.Go(func() error { return p.Bus.Lease(gctx, Consumers()[0], l.acceptDelivery, l.stop) })
	g.Go(func() error { return p.Bus.Hints(gctx, offer(l.hints), offer(l.issued)) })
	g.Go(func() error { return p.open.Run(gctx) })
	g.Go(func() error {
		return watching.Listen(gctx, p.Bus, func(w watching.Announcement) { p.roll.Note(w, time.Now()) })
	})
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
