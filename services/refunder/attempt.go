package refunder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// request is a delivery that asks for one refund, with what is recorded when it is handled.
type request struct {
	events.Return              // what is asked for
	d             bus.Delivery // the message that asks for it
	inv           bus.Loaded
	r             events.Refund // as it is recorded; a new one as it will be recorded first
	recorded      bool
	restoredAt    time.Time // when the broker was last restored from a backup
}

// refund decides by what is recorded of this refundId, and does one step.
func (w *Worker) refund(ctx context.Context, d bus.Delivery, want events.Return) bus.Outcome {
	inv, err := w.Bus.Load(ctx, want.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	if inv.Known() && inv.OrderID != want.OrderID {
		return bus.Park(fmt.Errorf("invoiceId: %q is an invoice of order %q, not of %q", inv.InvoiceID, inv.OrderID, want.OrderID))
	}
	q := request{Return: want, d: d, inv: inv}
	if q.r, q.recorded = inv.Refund(want.RefundID); q.recorded {
		if why, conflict := want.Conflicts(q.r, inv.Currency); conflict && !q.madeLastAttempt() {
			return bus.Park(errors.New(why))
		}
		if !q.r.UnderWay() {
			return bus.Done
		}
	}
	if q.restoredAt, err = w.Bus.RestoredAt(ctx); err != nil {
		return bus.Snooze(err)
	}
	if o, doubted := w.doubtAfterRestore(ctx, q); doubted {
		return o
	}
	if q.recorded {
		return w.goOn(ctx, q)
	}
	if o, ready := due(inv, w.Bus.Now().Sub(d.Time)); !ready {
		return o
	}
	if q.r, err = q.newRefund(); err != nil {
		return bus.Park(err)
	}
	if q.r.Amount.Cmp(inv.Remaining()) > 0 || q.r.Amount.Sign() == 0 {
		return w.refuseTooMuch(ctx, q)
	}
	return w.attempt(ctx, q)
}

// goOn takes up a refund that is under way. While another message of the same refund is at the provider its outcome is awaited.
func (w *Worker) goOn(ctx context.Context, q request) bus.Outcome {
	if q.r.Status == events.RefundSending && !q.madeLastAttempt() {
		return bus.SnoozeFor(soon, errors.New("another message asks for the same refund, and its outcome is awaited"))
	}
	return w.takeUp(ctx, q)
}

// takeUp goes on with a refund whose last attempt this message has made, or was not sent, or is left by the message that made it.
func (w *Worker) takeUp(ctx context.Context, q request) bus.Outcome {
	q.r.Message, q.r.Stream = q.d.Seq, q.d.Stream
	if q.r.Status == events.RefundSending {
		return w.resolve(ctx, q)
	}
	return w.attempt(ctx, q)
}

// newRefund is the refund as it is recorded first.
func (q request) newRefund() (events.Refund, error) {
	amount, err := q.Due(q.inv.Invoice)
	return events.Refund{RefundID: q.RefundID, Amount: amount, All: q.All, Reason: q.Reason, Contents: q.Contents(q.inv.Currency), Message: q.d.Seq, Stream: q.d.Stream}, err
}

// madeLastAttempt says whether this message made the refund's last attempt. Before the stream was recorded, it was told by
// the sequence alone.
func (q request) madeLastAttempt() bool {
	return q.r.Message == q.d.Seq && (q.r.Stream == "" || q.r.Stream == q.d.Stream)
}

// doubtAfterRestore puts a refund in doubt that was asked for before the broker was restored from a backup: it may have been
// paid after the backup was taken. The period's report or a person settles it.
func (w *Worker) doubtAfterRestore(ctx context.Context, q request) (o bus.Outcome, doubted bool) {
	switch {
	case !q.d.Time.Before(q.restoredAt) || !q.inv.State.Paid():
		return bus.Outcome{}, false
	case q.recorded && q.r.AskedAt.After(q.restoredAt):
		return bus.Outcome{}, false
	}
	if !q.recorded {
		var err error
		if q.r, err = q.newRefund(); err != nil {
			return bus.Park(err), true
		}
		if q.r.Amount.Sign() == 0 || q.r.Amount.Cmp(q.inv.Remaining()) > 0 {
			return bus.Outcome{}, false
		}
	}
	fact := w.restoredFact(q.restoredAt)
	return w.appendFrom(ctx, q.inv, func(i events.Invoice) (events.Invoice, error) { return i.RefundDoubted(q.r, fact) }), true
}

func (w *Worker) restoredFact(at time.Time) events.Fact {
	return events.Fact{At: w.Bus.Now(), Why: fmt.Sprintf("the broker was restored from a backup at %s: this refund may have been paid after the backup was taken", at.Format(time.RFC3339))}
}

// due says whether the invoice is one that can be refunded now, and what becomes of the return if not.
func due(inv bus.Loaded, age time.Duration) (o bus.Outcome, ready bool) {
	switch {
	case !inv.Known() && age > placedWithin:
		return bus.Park(fmt.Errorf("orderId: no such order after %s", placedWithin)), false
	case !inv.Known():
		return bus.Wait("the order is not placed yet"), false
	case inv.State.Open():
		return bus.Wait("the invoice is not paid yet"), false
	case !inv.State.Paid():
		return bus.Park(fmt.Errorf("orderId: the invoice is %s and was never paid: there is nothing to pay back", inv.State)), false
	}
	if other, ok := inv.InFlight(); ok {
		return bus.SnoozeFor(soon, fmt.Errorf("refund %q is under way", other.RefundID)), false
	}
	return bus.Outcome{}, true
}

// refuseTooMuch records that more than what is left was asked for. Of a refund that follows by policy nothing is recorded.
func (w *Worker) refuseTooMuch(ctx context.Context, q request) bus.Outcome {
	if events.IsReservedRefund(q.RefundID) {
		return bus.Done
	}
	cur := q.inv.Currency
	why := fmt.Sprintf("%s %s asked for, %s left of %s", q.r.Amount.In(cur), cur, q.inv.Remaining().In(cur), q.inv.Total.In(cur))
	if reserved := q.inv.ReservedForRefunds; reserved.Sign() > 0 {
		why += fmt.Sprintf(" (%s is reserved by refunds without an outcome)", reserved.In(cur))
	}
	return w.appendFrom(ctx, q.inv, func(i events.Invoice) (events.Invoice, error) {
		return i.RefundRefused(q.r, events.Fact{At: w.Bus.Now(), Why: why})
	})
}

// attempt records the intent and makes the call.
func (w *Worker) attempt(ctx context.Context, q request) bus.Outcome {
	as, err := calls.As(w.Shops, q.inv.Invoice)
	if err != nil {
		return bus.Elsewhere(q.inv.Terminal, err)
	}
	switch err := w.outcomeFits(ctx, q); {
	case errors.Is(err, bus.ErrTooLarge):
		return bus.Park(fmt.Errorf("the outcome of the refund could not be recorded: %w", err))
	case err != nil:
		return bus.Snooze(err)
	case q.d.Lost():
		return bus.Dropped
	}
	lost, seen := false, q.inv.Change
	after, err := w.Bus.UpdateFrom(ctx, Name, q.inv, func(i events.Invoice) (events.Invoice, error) {
		if i.Change.At != seen.At || i.Change.Event != seen.Event || i.Change.RefundID != seen.RefundID {
			lost = true // decided on an invoice that is no more: look again before any money moves
			return i, bus.ErrNothing
		}
		return i.Refunding(q.r, q.intent(w.Bus.Now()))
	})
	switch {
	case errors.Is(err, bus.ErrTooLarge):
		return bus.Park(err)
	case err != nil:
		return bus.Snooze(err)
	case lost:
		return bus.SnoozeFor(soon, errors.New("the invoice has changed meanwhile"))
	}
	q.r, _ = after.Refund(q.RefundID)
	if o, stopped := w.stopBeforeCall(ctx, q); stopped {
		return o
	}
	return w.callProvider(ctx, q, as)
}

// outcomeRoom is by how many bytes the event of an outcome may be larger than that of the intent: the provider's words and
// references.
const outcomeRoom = 8 << 10

// outcomeFits says whether the event of the intent, and after it that of whatever the provider answers, can be recorded.
func (w *Worker) outcomeFits(ctx context.Context, q request) error {
	intended, err := q.inv.Refunding(q.r, q.intent(w.Bus.Now()))
	if err != nil {
		return nil //nolint:nilerr // what is not allowed is not recorded either
	}
	size, err := bus.EventSize(Name, intended)
	if err != nil {
		return err
	}
	return w.Bus.RoomForOutcome(ctx, size+outcomeRoom)
}

// stopBeforeCall looks once more, right before the call, for what may have happened while the intent was recorded: that the
// broker was restored from a backup, or that another copy may have the message.
func (w *Worker) stopBeforeCall(ctx context.Context, q request) (o bus.Outcome, stopped bool) {
	at, err := w.Bus.RestoredAt(ctx)
	switch {
	case err != nil:
		return w.withdrawIntent(ctx, q, bus.Snooze(err), "not sent: it cannot be known whether the broker was restored from a backup"), true
	case at.After(q.restoredAt) && q.d.Time.Before(at):
		fact := w.restoredFact(at)
		return w.appendOutcome(ctx, q, bus.Done, func(i events.Invoice) (events.Invoice, error) { return i.RefundDoubted(q.r, fact) }), true
	case q.d.Lost():
		return w.withdrawIntent(ctx, q, bus.Dropped, "not sent: the broker was not heard for so long that another copy may have the message"), true
	}
	return bus.Outcome{}, false
}

// withdrawIntent records that this copy did not act on its intent.
func (w *Worker) withdrawIntent(ctx context.Context, q request, o bus.Outcome, why string) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Why: why}
	return w.appendOutcome(ctx, q, o, func(i events.Invoice) (events.Invoice, error) { return i.RefundNotSent(q.RefundID, q.r.Attempts, fact) })
}

// intent is the fact that is recorded before the call.
func (q request) intent(now time.Time) events.Fact {
	why := fmt.Sprintf("%s %s to be paid back", q.r.Amount.In(q.inv.Currency), q.inv.Currency)
	if q.r.Reason != "" {
		why += ": " + q.r.Reason
	}
	return events.Fact{At: now, Why: why}
}

// callProvider makes the one call and records its outcome.
func (w *Worker) callProvider(ctx context.Context, q request, as seqr.Principal) bus.Outcome {
	begun := time.Now()
	done, err := w.Provider.RefundPayment(seqr.WithAbout(ctx, q.Key().String()), seqr.RefundPayment{As: as, ErsReference: q.inv.ErsReference, Invoice: q.toProvider()})
	call := calls.Of("refundPayment", begun, err)
	call.Attempt = q.r.Attempts
	return w.recordAnswer(ctx, answer{request: q, call: call, err: err, ersReference: done.ErsReference})
}

// toProvider is the refund in the provider's terms.
func (q request) toProvider() seqr.Invoice {
	out := seqr.Invoice{
		Title: q.inv.Shop + " " + q.inv.OrderID, ClientInvoiceID: q.inv.InvoiceID,
		Total: seqr.Amount{Currency: q.inv.Currency, Value: q.r.Amount.Decimal()},
	}
	for _, row := range q.Rows {
		out.Rows = append(out.Rows, seqr.InvoiceRow{
			Description: row.Description, Quantity: row.Quantity, SKU: row.SKU, EAN: row.EAN, Unit: row.Unit, TaxRate: row.TaxRate,
			Total: seqr.Amount{Currency: q.inv.Currency, Value: row.Total.Decimal()},
		})
	}
	return out
}

// appendFrom appends the event to the invoice as it was loaded.
func (w *Worker) appendFrom(ctx context.Context, inv bus.Loaded, next bus.Decide) bus.Outcome {
	_, err := w.Bus.UpdateFrom(ctx, Name, inv, bus.IfAllowed(next))
	return bus.Recorded(err)
}
