// Package reconciler closes periods and compares the provider's report with our own ledger.
//
//	consumes  periods.*.*.closing, periods.*.*.marked
//	calls     markTransactionPeriod (repeated, it ends another and shorter period: every attempt is recorded before it is made)
//	          executeReport (may be repeated)
//	appends   closing (the attempts), marked, reconciled, mismatched
//
// Our ledger is the paid and refunded events of INVOICES that belong to the shop's terminal, in the order
// of the stream. A period begins where the terminal's previous one ended: at the last sequence before
// its mark. What we recorded up to there was at the provider before the mark, so its report has it, or
// an earlier report had.
package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/internal/sometimes"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "reconciler"

// Provider is the two calls this worker makes; *seqr.Client implements it.
type Provider interface {
	MarkTransactionPeriod(context.Context, seqr.MarkTransactionPeriod) (string, error)
	ExecuteReport(context.Context, seqr.ExecuteReport) (seqr.Report, error)
}

// Shops gives the credentials that a shop's periods are closed with, a reseller's user or the terminal itself, and the
// terminal whose periods they are.
type Shops interface {
	Credentials(shop string) (as seqr.Principal, terminal string, ok bool)
}

// Config of the worker.
type Config struct {
	Bus      *bus.Bus
	Provider Provider
	Shops    Shops
	Only     []string              // takes only these shops' periods; empty takes all
	Metrics  prometheus.Registerer // nil keeps them unregistered, and then the streams are not read for them
	Log      zerolog.Logger
	Pauses   Pauses
	Backoff  bus.Backoff // between failing attempts; zero is the bus's own
}

// Pauses of the worker; a zero one has a default.
type Pauses struct {
	Report   time.Duration // before the first report after a mark: 3 s
	NotReady time.Duration // before asking for a report that was not ready: 3 s
	Previous time.Duration // while another closing of the terminal is on: 1 s

	// LookAgain are the pauses before looking once more for rows that we have not recorded: 2 s for a
	// poller that is about to, then 20 s, after which the provider has reversed a payment that was not fetched.
	LookAgain []time.Duration
}

func (p Pauses) withDefaults() Pauses {
	p.Report, p.NotReady, p.Previous = cmp.Or(p.Report, 3*time.Second), cmp.Or(p.NotReady, 3*time.Second), cmp.Or(p.Previous, time.Second)
	if p.LookAgain == nil {
		p.LookAgain = []time.Duration{2 * time.Second, 20 * time.Second}
	}
	return p
}

const (
	// concurrency is how many closings of one terminal may be worked on at once.
	concurrency = 2
	// reports bounds memory: each may be as large as the client takes.
	reports = 2
	// attempts are few: each mark whose answer is lost may end one more period at the provider.
	attempts = 5
)

// Worker closes and reconciles. Any number of copies may run.
type Worker struct {
	Config

	mu      sync.Mutex
	reports *semaphore.Weighted // a place for each report that is being compared

	gauges    gauges
	sometimes sometimes.Sometimes

	looks map[uint64]int // how often a delivery was put off for rows that we have not recorded

	periods periodIndex
}

// New worker.
func New(c Config) *Worker {
	c.Pauses = c.Pauses.withDefaults()
	return &Worker{Config: c, looks: map[uint64]int{}, reports: semaphore.NewWeighted(reports), gauges: newGauges(c.Metrics)}
}

// Consumers are the durables that the worker takes its messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{{Worker: Name, Name: Name, Stream: events.PeriodsStream, Filters: []string{"periods.*.*.closing", "periods.*.*.marked"}}}
}

// Run until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	c := Consumers()[0]
	c.Serves, c.Concurrency, c.Attempts, c.Backoff = w.serves, concurrency, attempts, w.Backoff
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.Bus.Work(gctx, c, w.handle) })
	if w.Metrics != nil {
		g.Go(func() error { return w.gauges.follow(gctx, w) })
	}
	return g.Wait()
}

// serves gives the terminal of a shop that the settings name.
func (w *Worker) serves(shop string) (terminal string, err error) {
	if !calls.Serves(w.Only, shop) {
		return "", bus.ErrOtherCopy
	}
	_, terminal, err = w.accounts(shop)
	return terminal, err
}

func (w *Worker) handle(ctx context.Context, d bus.Delivery) bus.Outcome {
	p, err := events.DecodePeriod(d.Body)
	if err != nil {
		return bus.Park(err)
	}
	a, err := events.ParseSubject(d.Subject)
	if err != nil {
		return bus.Park(err)
	}
	k := events.PeriodKey{Shop: a.Shop, Period: a.ID}
	if p.Key() != k {
		return bus.Park(fmt.Errorf("data: expected shop and period of the subject %s, got %q and %q", d.Subject, p.Shop, p.Period))
	}
	if events.PeriodEvent(a.Event) == events.EventMarked {
		return w.handleMarked(ctx, d, k)
	}
	if p.Change.From != events.PeriodNone {
		return bus.Done // an attempt, recorded by a reconciler
	}
	return w.handleClosing(ctx, p)
}

// accounts gives the credentials that the shop's periods are closed with, and the terminal that they are of.
func (w *Worker) accounts(shop string) (seqr.Principal, string, error) {
	as, terminal, ok := w.Shops.Credentials(shop)
	if !ok {
		return as, terminal, fmt.Errorf("shop: no credentials for closing %q in the settings", shop)
	}
	return as, terminal, nil
}

// lookAgain counts how often the delivery was put off, and gives the pause until the next look.
func (w *Worker) lookAgain(seq uint64) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.looks[seq]
	if n >= len(w.Pauses.LookAgain) {
		return 0, false
	}
	w.looks[seq] = n + 1
	return w.Pauses.LookAgain[n], true
}

// looked forgets the count once the comparison is made.
func (w *Worker) looked(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.looks, seq)
}

// ErrUsed says that a closing of this name has been asked for before: it is never done twice.
var ErrUsed = errors.New("a closing of this name has been asked for before")

// RequestClose asks the reconciler to close a period under a name that was never used for the shop. For a name that was used,
// it gives the period as it is, and ErrUsed.
func RequestClose(ctx context.Context, b *bus.Bus, by, shop, period, why string) (events.Period, error) {
	fact := events.Fact{At: b.Now(), Why: why}
	return b.UpdatePeriod(ctx, by, events.PeriodKeyOf(shop, period), func(p events.Period) (events.Period, error) {
		if p.State != "" {
			return p, fmt.Errorf("%s/%s: %w", shop, period, ErrUsed)
		}
		return p.ClosingAsked(shop, period, by, fact)
	})
}

// ParkedError says that the reconciler has given up on a period until a person sends it back.
type ParkedError struct {
	Key    events.PeriodKey
	Parked events.Parked
}

func (e *ParkedError) Error() string {
	return fmt.Sprintf("closing %s is parked: %s", e.Key, e.Parked.Reason)
}

// Await waits until the period is reconciled or mismatched, and gives it. It fails with a *ParkedError when the reconciler has
// parked it, and with ctx's error when that ends first; the period is then given as far as it had come.
func Await(ctx context.Context, b *bus.Bus, k events.PeriodKey) (p events.Period, err error) {
	err = b.Follow(ctx, []bus.Source{
		{Stream: events.PeriodsStream, Filters: []string{k.All()}, All: true},
		{Stream: events.ParkedStream, Filters: []string{events.ParkedSubject(Name, k.Shop, k.Period)}, All: true},
	}, nil, func(bus.Entry) error {
		l, err := b.LoadPeriod(ctx, k)
		if err != nil {
			return err
		}
		if p = l.Period; p.State.Ended() {
			return bus.ErrStop
		}
		complaint, parked, err := b.GivenUp(ctx, Name, k.Shop, k.Period)
		if err == nil && parked {
			err = &ParkedError{k, complaint}
		}
		return err
	})
	if err == nil && !p.State.Ended() {
		err = ctx.Err()
	}
	return p, err
}
