package poller

import (
	"context"
	"sync"
	"sync/atomic"
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

// Name of the worker.
const Name = "poller"

// Provider is the calls this worker makes; *seqr.Client implements it.
type Provider interface {
	GetPaymentStatus(context.Context, seqr.GetPaymentStatus) (seqr.PaymentStatus, error)
	CommitReservation(context.Context, seqr.CommitReservation) error
}

// Config of the worker.
type Config struct {
	Bus         *bus.Bus
	Provider    Provider
	Shops       calls.Shops
	Only        []string              // polls only these shops' invoices; empty polls all
	Interval    time.Duration         // between two polls of one invoice, default 1 s
	Concurrency int                   // polls at once, default 1024
	Metrics     prometheus.Registerer // nil keeps them unregistered
	Log         zerolog.Logger

	// Observe is told how late each poll is begun, for measurements that need more than the histogram.
	// It is called on the loop's goroutine, so it must be quick; nil is nobody.
	Observe func(late time.Duration)
}

const (
	defaultInterval    = time.Second
	defaultConcurrency = 1024
)

// Worker polls. Any number of copies may run; the broker shares the invoices out among them.
type Worker struct {
	Config
	only      map[string]bool // shop tokens
	metrics   metrics
	open      *watching.Gauge
	started   time.Time // what instants are counted from
	sometimes sometimes.Sometimes
	clock     clock

	// of one Run
	id     string
	inHand context.Context // of the polls under way
	leases *leases
	roll   *watching.Pollers
	oldest atomic.Int64 // age of the oldest answer, ns
	polls  atomic.Int64 // made so far
}

// New worker.
func New(c Config) *Worker {
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	p := &Worker{Config: c, only: map[string]bool{}, metrics: newMetrics(c.Metrics), open: watching.NewGauge(c.Bus), started: time.Now()}
	for _, s := range c.Only {
		p.only[events.Token(s)] = true
	}
	p.metrics.limit.Set(float64(c.Concurrency))
	if c.Metrics != nil {
		if err := p.open.Register(c.Metrics); err != nil {
			c.Log.Error().Err(err).Str("worker", Name).Msg("the figures of open invoices")
		}
	}
	return p
}

// Consumers of this worker: the durable that all copies share. It has no settings.
func Consumers() []bus.Consumer {
	return []bus.Consumer{{Worker: Name, Name: Name, Stream: events.OpenStream, Filters: []string{events.OpenSubjects}, AckWait: ackWait}}
}

// serves says whether this copy is set to poll the shop's invoices.
func (p *Worker) serves(shop string) bool { return len(p.only) == 0 || p.only[shop] }

// Run until ctx ends; then polls under way are finished and everything that is held is given back, so that another copy
// polls it at once.
func (p *Worker) Run(ctx context.Context) error {
	inHand, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	p.id, p.inHand, p.roll = nuid.Next(), inHand, &watching.Pollers{}
	l := newLoop(p, abandon)
	p.leases = newLeases(p, l.arrive)
	stop, err := p.Bus.AnswerStuck(Name, l.ask)
	if err != nil {
		return err
	}
	defer stop()
	go l.run() // Lease ends it

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.Bus.Lease(gctx, Consumers()[0], p.leases.take, l.stop) })
	g.Go(func() error { return p.Bus.Hints(gctx, l.hint, l.hintIssued) })
	g.Go(func() error { return p.open.Run(gctx) })
	g.Go(func() error {
		return watching.Listen(gctx, p.Bus, func(a watching.Announcement) { p.roll.Note(a, time.Now()) })
	})
	g.Go(func() error { p.announce(gctx); return nil })
	return g.Wait()
}

// announce tells the other copies, and whoever shows what is unwatched, what this one holds.
func (p *Worker) announce(ctx context.Context) {
	w := watching.Announcement{ID: p.id, Serves: serving(p.Only)}
	before := p.polls.Load()
	tell := func() {
		n := p.polls.Load()
		w.Up = time.Since(p.started).Seconds()
		w.Held, w.Polls, w.Oldest = p.leases.size(), float64(n-before), time.Duration(p.oldest.Load()).Seconds()
		before = n
		if err := watching.Announce(p.Bus, w); err != nil && p.sometimes.OK("announce") {
			p.Log.Debug().Err(err).Str("worker", Name).Msg("announcing")
		}
	}
	tell()
	watching.EverySecond(ctx, p.Bus, tell)
	w.Leaving = true
	tell()
}

// clock keeps many invoices whose time is over at once from measuring as often.
type clock struct {
	mu   sync.Mutex
	at   time.Time
	skew time.Duration
}

// measure compares this machine's clock with the broker's, unless that was done a second ago.
func (c *clock) measure(ctx context.Context, b *bus.Bus) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < time.Second {
		return c.skew, nil
	}
	skew, err := b.MeasureClock(ctx)
	if err == nil {
		c.at, c.skew = time.Now(), skew
	}
	return skew, err
}
