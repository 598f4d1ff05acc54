// Package refunder pays back, and never pays back twice.
//
//	consumes  orders.*.*.returned, invoices.*.*.paid (late payments are refunded in full)
//	calls     refundPayment (not idempotent: the intent is recorded first, and a call whose outcome is
//	          unknown is repeated only where the provider's own cap makes a second payment impossible)
//	appends   refunding, refunded, refund_failed, refund_unknown
package refunder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "refunder"

// LateRefund is the refundId of the refund that a late payment gets by policy.
const LateRefund = "late"

const (
	// unheardOf is how long a return waits for an order that nobody has heard of before it is parked.
	unheardOf = time.Hour
	soon      = 500 * time.Millisecond
)

// Provider is the one call this worker makes; *seqr.Client implements it.
type Provider interface {
	RefundPayment(context.Context, seqr.RefundPayment) (seqr.Refunded, error)
}

// Config of the worker.
type Config struct {
	Bus      *bus.Bus
	Provider Provider
	Shops    calls.Shops
	Only     []string // takes only these shops' messages; empty takes all
}

// Worker refunds. Any number of copies may run: the invoice's stream says whose turn it is.
type Worker struct{ Config }

// New worker.
func New(c Config) *Worker { return &Worker{c} }

// Run until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return w.Bus.Work(ctx, bus.Consumer{
			Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{"orders.*.*.returned"}, Shops: w.Only,
		}, w.returned)
	})
	g.Go(func() error {
		return w.Bus.Work(ctx, bus.Consumer{
			Worker: Name, Name: Name + "-late", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}, Shops: w.Only,
		}, w.paid)
	})
	return g.Wait()
}

func (w *Worker) returned(ctx context.Context, d bus.Delivery) bus.Outcome {
	r, err := events.DecodeReturn(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	return w.refund(ctx, d, r)
}

// paid refunds what was paid after the invoice had ended.
func (w *Worker) paid(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := d.Invoice()
	if err != nil {
		return bus.Park(err)
	}
	if !inv.Late {
		return bus.Done
	}
	return w.refund(ctx, d, events.Return{
		OrderID: inv.OrderID, InvoiceID: inv.InvoiceID, Shop: inv.Shop, RefundID: LateRefund,
		Reason: "paid after the invoice was " + string(inv.Change.From),
	})
}

// refund decides by what is recorded of this refundId, and does one step.
func (w *Worker) refund(ctx context.Context, d bus.Delivery, want events.Return) bus.Outcome {
	inv, err := w.Bus.Load(ctx, want.Key())
	if err != nil {
		return bus.Hold(err)
	}
	known, ok := inv.Refund(want.RefundID)
	theirs := known.Message != d.Seq
	known.Message = d.Seq
	switch {
	case ok && known.Status == events.RefundSending && theirs:
		return bus.HoldFor(soon, errors.New("another message asks for the same refund, and its outcome is awaited"))
	case ok && known.Status == events.RefundSending:
		return w.resolve(ctx, inv, want, known)
	case ok && known.Status == events.RefundWaiting:
		return w.attempt(ctx, inv, want, known)
	case ok:
		return bus.Done
	}
	if o, ready := due(inv, w.Bus.Now().Sub(d.At)); !ready {
		return o
	}
	amount, err := want.Due(inv.Invoice)
	if err != nil {
		return bus.Park(err)
	}
	fresh := events.Refund{RefundID: want.RefundID, Amount: amount, Reason: want.Reason, Message: d.Seq}
	if left := inv.Remaining(); amount.Cmp(left) > 0 || amount.Sign() == 0 {
		return w.tooMuch(ctx, inv, fresh, left)
	}
	return w.attempt(ctx, inv, want, fresh)
}

// due says whether the invoice is one that can be refunded now, and what becomes of the return if not.
func due(inv bus.Loaded, age time.Duration) (o bus.Outcome, ready bool) {
	switch {
	case inv.Seq == 0 && age > unheardOf:
		return bus.Park(fmt.Errorf("orderId: no such order after %s", unheardOf)), false
	case inv.Seq == 0:
		return bus.Hold(errors.New("the order is not placed yet")), false
	case !inv.State.Final():
		return bus.Hold(errors.New("the invoice is not paid yet")), false
	case !inv.State.WasPaid():
		return bus.Park(fmt.Errorf("orderId: the invoice is %s and was never paid: there is nothing to pay back", inv.State)), false
	}
	if other, ok := inv.InFlight(); ok {
		return bus.HoldFor(soon, fmt.Errorf("refund %q is under way", other.RefundID)), false
	}
	return bus.Outcome{}, true
}

// tooMuch answers a return of more than is left. A refund that follows by policy has nothing to say then.
func (w *Worker) tooMuch(ctx context.Context, inv bus.Loaded, r events.Refund, left events.Amount) bus.Outcome {
	if r.RefundID == LateRefund || r.RefundID == cancelRefund || r.RefundID == cancelRestRefund {
		return bus.Done
	}
	cur := inv.Currency
	why := fmt.Sprintf("%s %s asked for, %s left of %s", r.Amount.In(cur), cur, left.In(cur), inv.Total.In(cur))
	if inv.Held.Sign() > 0 {
		why += fmt.Sprintf(" (%s is held by refunds without an outcome)", inv.Held.In(cur))
	}
	return w.record(ctx, inv, func(i events.Invoice) (events.Invoice, error) {
		return i.RefundRefused(r, events.Fact{At: w.Bus.Now(), Why: why})
	})
}

// The refundIds that the canceler asks with.
const (
	cancelRefund     = "cancel"
	cancelRestRefund = "cancel-rest"
)

// attempt records the intent and makes the call.
func (w *Worker) attempt(ctx context.Context, inv bus.Loaded, want events.Return, r events.Refund) bus.Outcome {
	as, ok := w.Shops.Terminal(inv.Shop)
	if !ok {
		return bus.Park(fmt.Errorf("shop: no credentials for %q in the settings", inv.Shop))
	}
	lost, seen := false, inv.Change
	after, err := w.Bus.UpdateFrom(ctx, Name, inv, func(i events.Invoice) (events.Invoice, error) {
		if i.Change.At != seen.At || i.Change.Event != seen.Event || i.Change.RefundID != seen.RefundID {
			lost = true // decided on an invoice that is no more: look again before any money moves
			return i, bus.ErrNothing
		}
		return i.Refunding(r, events.Fact{At: w.Bus.Now(), Why: intent(inv.Invoice, r)})
	})
	if err != nil {
		return bus.Hold(err)
	}
	if lost {
		return bus.HoldFor(soon, errors.New("the invoice has changed meanwhile"))
	}
	return w.call(ctx, after, want, as)
}

func intent(inv events.Invoice, r events.Refund) string {
	why := fmt.Sprintf("%s %s to be paid back", r.Amount.In(inv.Currency), inv.Currency)
	if r.Reason != "" {
		why += ": " + r.Reason
	}
	return why
}

// call makes the one call and records how it ended.
func (w *Worker) call(ctx context.Context, inv events.Invoice, want events.Return, as seqr.Principal) bus.Outcome {
	r, _ := inv.Refund(want.RefundID)
	begun := w.Bus.Now()
	done, err := w.Provider.RefundPayment(seqr.WithAbout(ctx, want.Key().String()), seqr.RefundPayment{As: as, ErsReference: inv.ErsReference, Invoice: refundInvoice(inv, want, r)})
	end := ending{r: r, call: calls.Of("refundPayment", begun, err), err: err, ersReference: done.ErsReference}
	end.call.Attempt = r.Attempts
	return w.settle(ctx, want.Key(), end)
}

func refundInvoice(inv events.Invoice, want events.Return, r events.Refund) seqr.Invoice {
	out := seqr.Invoice{
		Title: inv.Shop + " " + inv.OrderID, ClientInvoiceID: inv.InvoiceID,
		Total: seqr.Amount{Currency: inv.Currency, Value: r.Amount.Decimal()},
	}
	for _, row := range want.Rows {
		out.Rows = append(out.Rows, seqr.InvoiceRow{
			Description: row.Description, Quantity: row.Quantity, SKU: row.SKU, EAN: row.EAN, Unit: row.Unit, TaxRate: row.TaxRate,
			Total: seqr.Amount{Currency: inv.Currency, Value: row.Total.Decimal()},
		})
	}
	return out
}

func (w *Worker) record(ctx context.Context, inv bus.Loaded, next bus.Decide) bus.Outcome {
	_, err := w.Bus.UpdateFrom(ctx, Name, inv, allowed(next))
	return bus.Recorded(err)
}
