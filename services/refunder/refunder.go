// Package refunder pays back what a shop or a policy asks for, and never pays it back twice.
//
//	consumes  orders.*.*.returned; orders.*.*.canceled (what was paid of a canceled order); invoices.*.*.paid (late and
//	          second payments); invoices.*.*.refund_failed (what it releases of a payment that is to be paid back in full);
//	          invoices.*.*.refunding (its own intents, so that none is left without an outcome)
//	calls     refundPayment (not idempotent: the intent is recorded first, and a call whose outcome is unknown is repeated
//	          only where the provider's own limit makes a second payment impossible)
//	appends   refunding, refunded, refund_failed, refund_unknown
//
// A message comes in by a handler of refunder.go. A return asks for its own refund; of the other messages policy.go says whether
// all of a payment is to be paid back, and under which refundId. attempt.go decides by what is recorded of that refundId, records
// the intent and makes the call. outcome.go records how the call ended.
package refunder

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "refunder"

const (
	// placedWithin is how long a return waits for an order that is not placed before it is parked.
	placedWithin = time.Hour
	// soon is the pause until another message or copy has recorded what this one waits for.
	soon = 500 * time.Millisecond
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

// Worker refunds. Any number of copies may run: what the invoice's stream says decides which of them acts.
type Worker struct {
	Config
	secondPayments prometheus.Counter
}

// New worker.
func New(c Config) *Worker {
	return &Worker{c, promauto.With(c.Metrics).NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "second_payments_total",
		Help: "Orders that were paid a second time, under another invoiceId. Alert above 0."})}
}

// Consumers are the durables that the worker takes its messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{
		{Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{"orders.*.*.returned"}},
		{Worker: Name, Name: Name + "-canceled", Stream: events.OrdersStream, Filters: []string{"orders.*.*.canceled"}},
		{Worker: Name, Name: Name + "-paid", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}},
		{Worker: Name, Name: Name + "-released", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.refund_failed"}},
		{Worker: Name, Name: Name + "-unattended", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.refunding"}},
	}
}

// Run handles messages until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	access := calls.Access{Provider: w.Provider, Shops: w.Shops, Only: w.Only}
	return access.Consume(ctx, w.Bus, Consumers(), w.handleReturned, w.handleCanceled,
		w.Bus.OfInvoice(w.handlePaid), w.Bus.OfInvoice(w.handleRefundFailed), w.Bus.OfInvoice(w.handleRefunding))
}

// handleReturned pays back what the shop asks for.
func (w *Worker) handleReturned(ctx context.Context, d bus.Delivery) bus.Outcome {
	r, err := events.DecodeReturn(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	return w.refund(ctx, d, r)
}

// handleCanceled pays back what was paid of a canceled order. An invoice that is still open is ended by the canceler first, or
// turns out to be paid.
func (w *Worker) handleCanceled(ctx context.Context, d bus.Delivery) bus.Outcome {
	c, err := events.DecodeCancellation(d.Message)
	if err != nil {
		return bus.Done // the canceler parks it
	}
	if c.KeepPaid {
		return bus.Done
	}
	invoices, err := w.Bus.Canceled(ctx, c, d.Seq)
	if err != nil {
		return bus.Snooze(err)
	}
	outcome := bus.Done
	for _, t := range invoices {
		outcome = outcome.And(w.refundCanceled(ctx, d, c, t.Key()))
	}
	return outcome
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
	case !inv.State.Paid():
		return bus.Done
	}
	return w.payBack(ctx, d, inv.Invoice, policyCanceled, events.Invoice{})
}

// handlePaid pays back what was paid after the invoice had ended, and a second payment of an order.
func (w *Worker) handlePaid(ctx context.Context, d bus.Delivery, paid events.Invoice, inv bus.Loaded) bus.Outcome {
	var why policy
	begun := policyUnderWay(inv.Invoice)
	switch {
	case begun.refundID == events.RefundSecond:
		why = begun // whatever became of the first payment, or of the setting, meanwhile: what it reserves must not stay so
	case paid.Late:
		why = policyLate(paid)
	case !inv.Can(events.EventRefunding): // all is paid back, whichever of the two payments was to be kept
	default:
		var err error
		if why, err = w.policyOfSecond(ctx, inv, d.Seq); err != nil {
			return undecided(err)
		}
	}
	keep := w.KeepSecond && why.refundID == events.RefundSecond && begun.refundID != events.RefundSecond
	o := bus.Done
	if !keep {
		o = w.payBack(ctx, d, inv.Invoice, why, events.Invoice{})
	}
	if why.refundID == events.RefundSecond && !o.Waits() {
		w.secondPayments.Inc()
		w.Log.Error().Str("worker", Name).Str("shop", inv.Shop).Str("order", inv.OrderID).Str("invoice", inv.InvoiceID).
			Bool("refunded", !keep).Str("why", why.reason).Msg("the order was paid a second time")
	}
	return o
}

// handleRefundFailed pays back what the failed refund had reserved, where all of the payment is to be paid back.
func (w *Worker) handleRefundFailed(ctx context.Context, d bus.Delivery, event events.Invoice, inv bus.Loaded) bus.Outcome {
	why := policyUnderWay(inv.Invoice)
	if why.refundID == "" && inv.Remaining().Sign() > 0 {
		var err error
		if why, err = w.policyFor(ctx, inv); err != nil {
			return undecided(err)
		}
	}
	var released events.Invoice // a refusal of ours is final, but another refund that came to nothing is a new reason to ask
	if !events.IsReservedRefund(event.Change.RefundID) {
		released = event
	}
	return w.payBack(ctx, d, inv.Invoice, why, released)
}

// unattendedAfter is how long after an attempt at a refund, without an outcome or another attempt, no message asks for it any more: longer
// than AckWait, a call, and any pause between two attempts together.
const unattendedAfter = 3 * time.Minute

// handleRefunding keeps the intent of an attempt until the refund has an outcome or another attempt, and goes on with the refund when no
// other message does. The message that made the attempt may be gone although the refund is under way: an acknowledgement of an earlier
// delivery, when there was nothing to do about it yet, can reach the broker after the message was delivered again.
func (w *Worker) handleRefunding(ctx context.Context, d bus.Delivery, intended events.Invoice, inv bus.Loaded) bus.Outcome {
	attempt, _ := intended.Refund(intended.Change.RefundID)
	if attempt.Status != events.RefundSending {
		return bus.Done // it says that an attempt was not sent; the message of the attempt is kept
	}
	q := request{d: d, inv: inv, recorded: true}
	q.r, _ = inv.Refund(attempt.RefundID)
	mine := q.madeLastAttempt()
	switch {
	case !q.r.UnderWay(), q.r.Attempts != attempt.Attempts && !mine:
		return bus.Done
	case !mine && w.Bus.Now().Sub(intended.Change.At) < unattendedAfter:
		return bus.Wait("the message that asks for the refund is handled")
	}
	if !mine {
		parked, err := w.Bus.ParkedAfter(ctx, Name, cmp.Or(q.r.Stream, events.OrdersStream), q.r.Message, d)
		switch {
		case err != nil:
			return bus.Snooze(err)
		case parked:
			return bus.Done // a person decides
		}
	}
	var err error
	if q.restoredAt, err = w.Bus.RestoredAt(ctx); err != nil {
		return bus.Snooze(err)
	}
	q.Return = events.Return{
		OrderID: inv.OrderID, InvoiceID: inv.InvoiceID, Shop: inv.Shop, RefundID: q.r.RefundID, Amount: &q.r.Amount, All: q.r.All, Reason: q.r.Reason,
	}
	if o, doubted := w.doubtAfterRestore(ctx, q); doubted {
		return o
	}
	return w.takeUp(ctx, q)
}
