package bench

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// Start measures how soon a poller that starts asks about what is open, after a history of invoices that have ended.
type Start struct {
	Config
	Ended int
	Open  int
}

// StartResult is what came of it, in seconds from when the poller was started.
type StartResult struct {
	Ended   int       `json:"endedInvoices"`
	Open    int       `json:"openInvoices"`
	With    FirstPoll `json:"withItsDurable"`
	Without FirstPoll `json:"withANewDurable"`
}

// FirstPoll is when a poller asked, in seconds after its start.
type FirstPoll struct {
	First float64 `json:"firstPollSeconds"`
	All   float64 `json:"allPolledSeconds"` // every open invoice was asked about
}

// Run measures.
func (s Start) Run(ctx context.Context) (r StartResult, err error) {
	limit := patience + time.Duration(3*s.Ended+s.Open)*time.Second/slowest
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	w, ctx, err := build(ctx, s.Config, "natsd", "sandbox", "gateway", "canceler")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	r.Ended, r.Open = s.Ended, s.Open
	r.With, r.Without, err = s.play(ctx, w)
	return r, cause(ctx, err)
}

func (s Start) play(ctx context.Context, w *stand) (with, without FirstPoll, err error) {
	s.say("recording %d invoices that have ended and %d that are open", s.Ended, s.Open)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(shopsAtOnce)
	for i := range s.Ended + s.Open {
		g.Go(func() error { return record(gctx, w.Bus(), strconv.Itoa(i), i < s.Ended) })
	}
	if err := g.Wait(); err != nil {
		return with, without, err
	}
	if !until(ctx, time.Now().Add(2*time.Second)) { // the first polls of what was issued just now are spread over a second
		return with, without, ctx.Err()
	}
	if with, err = s.first(ctx, w); err != nil { // its durable is made with the broker
		return with, without, err
	}
	js, err := jetstream.New(w.Bus().Conn()) // the bus removes no consumer
	if err != nil {
		return with, without, err
	}
	if err := js.DeleteConsumer(ctx, events.OpenStream, poller.Name); err != nil {
		return with, without, err
	}
	without, err = s.first(ctx, w)
	return with, without, err
}

// record writes the life of an invoice, as the invoicer and the poller would; one that has ended is not on the index.
func record(ctx context.Context, b *bus.Bus, id string, ended bool) error {
	o := order(shop, id)
	if !ended {
		if _, _, err := b.IndexOpen(ctx, o.Key(), 1); err != nil {
			return err
		}
	}
	fact := events.Fact{At: b.Now(), Why: "bench"}
	_, err := b.Update(ctx, "invoicer", o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, events.Bill{Terminal: shops()[app.AnyShop].Terminal, Reference: id, ValidFor: 24 * time.Hour}, fact)
	})
	if err != nil || !ended {
		return err
	}
	_, err = b.Update(ctx, poller.Name, o.Key(), func(i events.Invoice) (events.Invoice, error) { return i.PaidWith(id, poller.Name, fact) })
	return err
}

// first runs a poller until it has asked about everything.
func (s Start) first(ctx context.Context, w *stand) (FirstPoll, error) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	p := &firstAsked{begun: time.Now(), want: s.Open, asked: map[string]bool{}, all: make(chan struct{})}
	g, working := errgroup.WithContext(working)
	g.Go(func() error {
		return poller.New(poller.Config{Bus: w.Bus(), Provider: p, Shops: shops(), Log: s.Log}).Run(working)
	})
	select {
	case <-p.all:
		stop()
	case <-working.Done():
	}
	return p.result, g.Wait()
}

// firstAsked answers that every invoice is open.
type firstAsked struct {
	mu     sync.Mutex
	begun  time.Time
	want   int
	asked  map[string]bool
	result FirstPoll
	all    chan struct{}
}

// GetPaymentStatus notes the first question about each invoice.
func (p *firstAsked) GetPaymentStatus(_ context.Context, q seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Since(p.begun).Seconds()
	if len(p.asked) == 0 {
		p.result.First = since
	}
	if !p.asked[q.InvoiceReference] {
		p.asked[q.InvoiceReference] = true
		if len(p.asked) == p.want {
			p.result.All = since
			close(p.all)
		}
	}
	return seqr.PaymentStatus{Status: seqr.StatusIssued}, nil
}

// CommitReservation is never called: nothing is reserved.
func (*firstAsked) CommitReservation(context.Context, seqr.CommitReservation) error { return nil }
