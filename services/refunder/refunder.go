// Package refunder pays back, and never pays back twice.
//
//	consumes  orders.*.*.returned; orders.*.*.canceled (what was paid of a canceled order); invoices.*.*.paid (late and
//	          second payments); invoices.*.*.refund_failed (what it releases of a canceled order)
//	calls     refundPayment (not idempotent: the intent is recorded first, and a call whose outcome is unknown is repeated
//	          only where the provider's own limit makes a second payment impossible)
//	appends   refunding, refunded, refund_failed, refund_unknown
//
// refunder.go says what is to be paid back, and attempt.go whether it may be asked for now; outcome.go is what follows
// from the answer.
package refunder

import (
	"context"
	"math"
	"slices"
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
const Name = "refunder"

const (
	// unheardOf is how long a return waits for an order that is not placed before it is parked.
	unheardOf = time.Hour
	soon      = 500 * time.Millisecond
)

// Provider is the calls this worker makes; *seqr.Client implements it.
type Provider interface {
	RefundPayment(context.Context, seqr.RefundPayment) (seqr.Refunded, error)
	calls.Status
}

// Config of the worker.
type Config struct {
	Bus        *bus.Bus
	Provider   Provider
	Shops      calls.Shops
	Only       []string // takes only these shops' messages; empty takes all
	KeepSecond bool     // leaves a second payment of an order to a person instead of paying it back
	Metrics    prometheus.Registerer
	Log        zerolog.Logger
}

// Worker refunds. Any number of copies may run: the invoice's stream says whose turn it is.
type Worker struct {
	Config
	seconds prometheus.Counter
}

// New worker.
func New(c Config) *Worker {
	w := &Worker{c, prometheus.NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "second_payments_total",
		Help: "Orders that were paid a second time, under another invoiceId. Alert above 0."})}
	if c.Metrics != nil {
		c.Metrics.MustRegister(w.seconds)
	}
	return w
}

// Consumers are the durables that the worker takes its messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{
		{Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{"orders.*.*.returned"}},
		{Worker: Name, Name: Name + "-canceled", Stream: events.OrdersStream, Filters: []string{"orders.*.*.canceled"}},
		{Worker: Name, Name: Name + "-paid", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}},
		{Worker: Name, Name: Name + "-released", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.refund_failed"}},
	}
}

// Run until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, handle := range []bus.Handler{w.returned, w.canceled, w.paid, w.released} {
		c := Consumers()[i]
		c.Serves, c.Probe = calls.Serving(w.Shops, w.Only), calls.Probe(w.Provider, w.Shops)
		g.Go(func() error { return w.Bus.Work(ctx, c, handle) })
	}
	return g.Wait()
}

// returned pays back what the shop asks for.
func (w *Worker) returned(ctx context.Context, d bus.Delivery) bus.Outcome {
	r, err := events.DecodeReturn(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	return w.refund(ctx, d, r)
}

// canceled pays back what was paid of a canceled order. An invoice that is still open is ended by the canceler first, or
// turns out to be paid.
func (w *Worker) canceled(ctx context.Context, d bus.Delivery) bus.Outcome {
	c, err := events.DecodeCancellation(d.Message)
	if err != nil {
		return bus.Done // the canceler parks it
	}
	invoices, err := w.Bus.Canceled(ctx, c, d.Seq)
	if err != nil {
		return bus.Snooze(err)
	}
	outcome := bus.Done
	for _, k := range invoices {
		if o := w.refundCanceled(ctx, d, c, k); !o.IsDone() {
			outcome = o
		}
	}
	return outcome
}

// released pays back what a refund of a canceled order had reserved and did not pay.
func (w *Worker) released(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := d.Invoice()
	if err != nil {
		return w.Bus.NotOurs(ctx, d, err)
	}
	cancellations, err := w.Bus.OrderMessages(ctx, inv.Shop, inv.OrderID, events.OrderCanceled)
	if err != nil {
		return bus.Snooze(err)
	}
	for _, m := range cancellations {
		c, err := events.DecodeCancellation(m.Message())
		if err != nil {
			continue // it is parked
		}
		invoices, err := w.Bus.Canceled(ctx, c, m.Seq)
		if err != nil {
			return bus.Snooze(err)
		}
		if slices.Contains(invoices, d.Key()) {
			return w.refundCanceled(ctx, d, c, d.Key())
		}
	}
	return bus.Done
}

// refundCanceled pays back all that is left of one invoice of a canceled order.
func (w *Worker) refundCanceled(ctx context.Context, d bus.Delivery, c events.Cancellation, k events.Key) bus.Outcome {
	inv, err := w.Bus.Load(ctx, k)
	switch {
	case err != nil:
		return bus.Snooze(err)
	case !inv.Known():
		return bus.Wait("the canceler has not recorded the cancellation yet")
	case inv.OrderID != c.OrderID:
		return bus.Done // the canceler parks it
	case inv.State.Open():
		return bus.Wait("the invoice is open: the canceler ends it, or it is paid")
	case !inv.State.WasPaid():
		return bus.Done
	}
	id := cancelRefund(inv.Invoice)
	if id == "" {
		return bus.Done
	}
	return w.refund(ctx, d, w.all(inv.Invoice, id, "the order was canceled after it was paid"))
}

// cancelRefund gives the refundId that a canceled order is paid back under: the first that is under way or unused. It is
// empty when nothing is left, when both are used, and when the provider has refused.
func cancelRefund(inv events.Invoice) string {
	for _, id := range []string{events.RefundCancel, events.RefundCancelRest} {
		switch r, asked := inv.Refund(id); {
		case !asked && inv.Remaining().Sign() > 0:
			return id
		case !asked, r.Status == events.RefundFailed:
			return ""
		case r.Status == events.RefundSending, r.Status == events.RefundWaiting:
			return id
		}
	}
	return ""
}

// paid pays back what was paid after the invoice had ended, and a second payment of an order.
func (w *Worker) paid(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := d.Invoice()
	if err != nil {
		return w.Bus.NotOurs(ctx, d, err)
	}
	asked, err := w.Bus.Load(ctx, d.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	if r, begun := asked.Refund(events.RefundSecond); begun && (r.Status == events.RefundSending || r.Status == events.RefundWaiting) {
		return w.refund(ctx, d, w.all(inv, r.RefundID, r.Reason)) // whatever became of the first payment meanwhile
	}
	if inv.Late {
		return w.refund(ctx, d, w.all(inv, events.RefundLate, "paid after the invoice was "+string(inv.Change.From)))
	}
	first, err := w.earlierPayment(ctx, d, inv)
	switch {
	case err != nil:
		return bus.Snooze(err)
	case first == "":
		return bus.Done
	}
	if !d.Redelivered {
		w.seconds.Inc()
		w.Log.Error().Str("worker", Name).Str("shop", inv.Shop).Str("order", inv.OrderID).Str("invoice", inv.InvoiceID).Str("first", first).
			Bool("refunded", !w.KeepSecond).Msg("the order was paid a second time")
	}
	if w.KeepSecond {
		return bus.Done
	}
	return w.refund(ctx, d, w.all(inv, events.RefundSecond, "the order was paid before, as invoice "+first))
}

// earlierPayment names another invoice of the same order that was paid before this one and not paid back; "" is none.
func (w *Worker) earlierPayment(ctx context.Context, d bus.Delivery, inv events.Invoice) (string, error) {
	tries, err := w.Bus.Tries(ctx, inv.Shop, inv.OrderID, math.MaxUint64)
	if err != nil {
		return "", err
	}
	for _, k := range tries {
		if k == d.Key() {
			continue
		}
		other, err := w.Bus.Load(ctx, k)
		if err != nil {
			return "", err
		}
		if other.OrderID != inv.OrderID || other.State != events.Paid && other.State != events.Receipted {
			continue
		}
		seq, err := w.Bus.LastEventSeq(ctx, k, events.EventPaid)
		if err != nil {
			return "", err
		}
		if seq < d.Seq {
			return other.InvoiceID, nil
		}
	}
	return "", nil
}

// all is a return of all that is left, which follows by policy.
func (w *Worker) all(inv events.Invoice, refundID, reason string) events.Return {
	return events.Return{OrderID: inv.OrderID, InvoiceID: inv.InvoiceID, Shop: inv.Shop, RefundID: refundID, All: true, Reason: reason}
}
