package poller

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
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
	Only        []string              // takes only these shops' invoices; empty takes all
	Interval    time.Duration         // between two polls of one invoice, default 1 s
	Concurrency int                   // polls at once, default 128
	Metrics     prometheus.Registerer // nil keeps them unregistered
	Log         zerolog.Logger

	// Observe is told how late each poll is begun, for measurements that need more than the histogram.
	// It is called on the loop's goroutine, so it must be quick; nil is nobody.
	Observe func(late time.Duration)
}

const (
	defaultInterval    = time.Second
	defaultConcurrency = 128
)

// Worker polls. Any number of copies may run; the broker shares the invoices out among them.
type Worker struct {
	Config
	metrics *metrics
	started time.Time // what monotonic times are counted from
}

// New worker.
func New(c Config) *Worker {
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	return &Worker{c, newMetrics(c.Metrics), time.Now()}
}

// watch is one invoice that this process holds. The loop owns it, but for the fields of the poll,
// which belong to whoever runs the poll while busy is set.
type watch struct {
	held  bus.Held
	newer *bus.Held // a redelivery that came while a poll was under way
	key   events.Key

	// timing
	due      time.Time
	slot     int64        // in the ring, or none
	place    int          // in the queue, or none
	beat     int64        // heartbeat's slot
	answered atomic.Int64 // when the last answered question was asked, since Worker.started
	busy     bool         // a poll is under way
	again    bool         // a hint came while it was
	gone     bool         // no longer held
	worried  bool         // its age has been logged
	account  *account
	line     *line // whose slot the poll has; nil for one of everybody's
	freed    bool  // the poll's slot has been given up; its answer is being recorded

	// poll
	ctx       context.Context // carries the trace of the order
	as        seqr.Principal
	reference string
	version   int
	dueAt     time.Time // validFor is over
	overdue   bool      // that is recorded
	failures  int       // polls in a row without a status
	silent    bool      // the provider did not answer the last poll at all
	nameless  int       // answers in a row that say PAID without the payment's ersReference
	unknown   int       // answers in a row that the provider knows no such invoice
}

// Run until ctx ends; then polls under way are finished and every held invoice is given back, so that
// another copy polls it at once.
func (w *Worker) Run(ctx context.Context) error {
	l := newLoop(w)
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(ctx) }()

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return w.Bus.Hold(gctx, bus.Consumer{
			Worker: Name, Name: Name, Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.issued"}, Shops: w.Only,
		}, func(h bus.Held) { l.arrive(ctx, h) })
	})
	g.Go(func() error { return w.Bus.Hints(gctx, func(k events.Key) { l.hint(ctx, k) }) })
	err := g.Wait()
	if err != nil {
		l.stop()
	}
	<-ended
	l.giveBackArrivals()
	return err
}
