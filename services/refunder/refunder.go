// Package refunder pays back what a shop or a policy asks for, and never pays it back twice.
//
//	consumes  orders.*.*.returned; orders.*.*.canceled (what was paid of a canceled order); invoices.*.*.paid (late and
//	          second payments); invoices.*.*.refund_failed (what it releases of a payment that is to be paid back in full)
//	calls     refundPayment (not idempotent: the intent is recorded first, and a call whose outcome is unknown is repeated
//	          only where the provider's own limit makes a second payment impossible)
//	appends   refunding, refunded, refund_failed, refund_unknown
//
// A message comes in by a handler of refunder.go. A return asks for its own refund; of the other messages policy.go says whether
// all of a payment is to be paid back, and under which refundId. attempt.go decides by what is recorded of that refundId, records
// the intent and makes the call. outcome.go records how the call ended.
package refunder

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	w := &Worker{c, prometheus.NewCounter(prometheus.CounterOpts{Namespace: "seqrflow", Name: "second_payments_total",
		Help: "Orders that were paid a second time, under another invoiceId. Alert above 0."})}
	if c.Metrics != nil {
		c.Metrics.MustRegister(w.secondPayments)
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

// Run handles messages until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	access := calls.Access{Provider: w.Provider, Shops: w.Shops, Only: w.Only}
	return access.Consume(ctx, w.Bus, Consumers(), w.handleReturned, w.handleCanceled, w.handlePaid, w.handleRefundFailed)
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
	return w.payBack(ctx, d, inv.Invoice, policyCanceled, time.Time{})
}

// handlePaid pays back what was paid after the invoice had ended, and a second payment of an order.
func (w *Worker) handlePaid(ctx context.Context, d bus.Delivery) bus.Outcome {
	paid, err := d.Invoice()
	if err != nil {
		return w.Bus.NotOurs(ctx, d, err)
	}
	inv, err := w.Bus.Load(ctx, d.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	var why policy
	switch begun := policyUnderWay(inv.Invoice); {
	case begun.refundID == events.RefundSecond:
		why = begun // whatever became of the first payment meanwhile
	case paid.Late:
		why = policyLate(paid)
	case !inv.Can(events.EventRefunding): // all is paid back, whichever of the two payments was to be kept
	default:
		if why, err = w.policyOfSecond(ctx, inv, d.Seq); err != nil {
			return undecided(err)
		}
	}
	o := bus.Done
	if why.refundID != events.RefundSecond || !w.KeepSecond {
		o = w.payBack(ctx, d, inv.Invoice, why, time.Time{})
	}
	if why.refundID == events.RefundSecond && !o.Waits() {
		w.secondPayments.Inc()
		w.Log.Error().Str("worker", Name).Str("shop", inv.Shop).Str("order", inv.OrderID).Str("invoice", inv.InvoiceID).
			Bool("refunded", !w.KeepSecond).Str("why", why.reason).Msg("the order was paid a second time")
	}
	return o
}

// handleRefundFailed pays back what the failed refund had reserved, where all of the payment is to be paid back.
func (w *Worker) handleRefundFailed(ctx context.Context, d bus.Delivery) bus.Outcome {
	event, err := d.Invoice()
	if err != nil {
		return w.Bus.NotOurs(ctx, d, err)
	}
	inv, err := w.Bus.Load(ctx, d.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	why := policyUnderWay(inv.Invoice)
	if why.refundID == "" && inv.Remaining().Sign() > 0 {
		if why, err = w.policyFor(ctx, inv); err != nil {
			return undecided(err)
		}
	}
	var since time.Time // a refusal of ours is final, but another refund that came to nothing is a new reason to ask
	if !events.IsReservedRefund(event.Change.RefundID) {
		since = event.Change.At
	}
	return w.payBack(ctx, d, inv.Invoice, why, since)
}
