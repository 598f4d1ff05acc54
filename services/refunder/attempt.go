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

// refund decides by what is recorded of this refundId, and does one step.
func (w *Worker) refund(ctx context.Context, d bus.Delivery, want events.Return) bus.Outcome {
	inv, err := w.Bus.Load(ctx, want.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	if inv.Known() && inv.OrderID != want.OrderID {
		return bus.Park(fmt.Errorf("invoiceId: %q is an invoice of order %q, not of %q", inv.InvoiceID, inv.OrderID, want.OrderID))
	}
	known, ok := inv.Refund(want.RefundID)
	if ok {
		if why, conflict := want.Conflicts(known, inv.Currency); conflict && !madeBy(known, d) {
			return bus.Park(errors.New(why))
		}
		if known.Status == events.RefundDone || known.Status == events.RefundFailed || known.Status == events.RefundUnknown {
			return bus.Done
		}
	}
	at, err := w.Bus.RestoredAt(ctx)
	if err != nil {
		return bus.Snooze(err)
	}
	if o, doubted := w.restored(ctx, d, inv, want, known, ok, at); doubted {
		return o
	}
	theirs := !madeBy(known, d)
	known.Message, known.Stream = d.Seq, d.Stream
	switch {
	case ok && known.Status == events.RefundSending && theirs:
		return bus.SnoozeFor(soon, errors.New("another message asks for the same refund, and its outcome is awaited"))
	case ok && known.Status == events.RefundSending:
		return w.resolve(ctx, d, inv, want, known, at)
	case ok:
		return w.attempt(ctx, d, inv, want, known, at)
	}
	if o, ready := due(inv, w.Bus.Now().Sub(d.Time)); !ready {
		return o
	}
	fresh, err := w.fresh(d, inv, want)
	if err != nil {
		return bus.Park(err)
	}
	if left := inv.Remaining(); fresh.Amount.Cmp(left) > 0 || fresh.Amount.Sign() == 0 {
		return w.tooMuch(ctx, inv, fresh, left)
	}
	return w.attempt(ctx, d, inv, want, fresh, at)
}

// fresh is the refund as it is recorded first.
func (w *Worker) fresh(d bus.Delivery, inv bus.Loaded, want events.Return) (events.Refund, error) {
	amount, err := want.Due(inv.Invoice)
	return events.Refund{RefundID: want.RefundID, Amount: amount, All: want.All, Reason: want.Reason, Contents: want.Contents(inv.Currency), Message: d.Seq, Stream: d.Stream}, err
}

// madeBy says whether the delivery's message made the refund's last attempt. Before the stream was recorded, it was told by
// the sequence alone.
func madeBy(r events.Refund, d bus.Delivery) bool {
	return r.Message == d.Seq && (r.Stream == "" || r.Stream == d.Stream)
}

// restored puts a refund in doubt that was asked for before the broker was restored from a backup: it may have been paid
// after the backup was taken. The period's report or a person settles it.
func (w *Worker) restored(ctx context.Context, d bus.Delivery, inv bus.Loaded, want events.Return, known events.Refund, asked bool, at time.Time) (bus.Outcome, bool) {
	switch {
	case !d.Time.Before(at) || !inv.State.Paid():
		return bus.Outcome{}, false
	case asked && known.AskedAt.After(at):
		return bus.Outcome{}, false
	}
	r := known
	if !asked {
		var err error
		if r, err = w.fresh(d, inv, want); err != nil {
			return bus.Park(err), true
		}
		if r.Amount.Sign() == 0 || r.Amount.Cmp(inv.Remaining()) > 0 {
			return bus.Outcome{}, false
		}
	}
	fact := w.restoredFact(at)
	return w.record(ctx, inv, func(i events.Invoice) (events.Invoice, error) { return i.RefundDoubted(r, fact) }), true
}

func (w *Worker) restoredFact(at time.Time) events.Fact {
	return events.Fact{At: w.Bus.Now(), Why: fmt.Sprintf("the broker was restored from a backup at %s: this refund may have been paid after the backup was taken", at.Format(time.RFC3339))}
}

// due says whether the invoice is one that can be refunded now, and what becomes of the return if not.
func due(inv bus.Loaded, age time.Duration) (o bus.Outcome, ready bool) {
	switch {
	case !inv.Known() && age > unheardOf:
		return bus.Park(fmt.Errorf("orderId: no such order after %s", unheardOf)), false
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

// tooMuch answers a return of more than is left. A refund that follows by policy has nothing to say then.
func (w *Worker) tooMuch(ctx context.Context, inv bus.Loaded, r events.Refund, left events.Amount) bus.Outcome {
	if events.IsReservedRefund(r.RefundID) {
		return bus.Done
	}
	cur := inv.Currency
	why := fmt.Sprintf("%s %s asked for, %s left of %s", r.Amount.In(cur), cur, left.In(cur), inv.Total.In(cur))
	if inv.Held.Sign() > 0 {
		why += fmt.Sprintf(" (%s is reserved by refunds without an outcome)", inv.Held.In(cur))
	}
	return w.record(ctx, inv, func(i events.Invoice) (events.Invoice, error) {
		return i.RefundRefused(r, events.Fact{At: w.Bus.Now(), Why: why})
	})
}

// attempt records the intent and makes the call. restored is when the broker was restored, as it was known when this was decided.
func (w *Worker) attempt(ctx context.Context, d bus.Delivery, inv bus.Loaded, want events.Return, r events.Refund, restored time.Time) bus.Outcome {
	as, err := calls.As(w.Shops, inv.Invoice)
	if err != nil {
		return calls.Elsewhere(err)
	}
	switch err := w.outcomeFits(ctx, inv.Invoice, r); {
	case errors.Is(err, bus.ErrTooLarge):
		return bus.Park(fmt.Errorf("the outcome of the refund could not be recorded: %w", err))
	case err != nil:
		return bus.Snooze(err)
	case d.Lost():
		return bus.Dropped
	}
	lost, seen := false, inv.Change
	after, err := w.Bus.UpdateFrom(ctx, Name, inv, func(i events.Invoice) (events.Invoice, error) {
		if i.Change.At != seen.At || i.Change.Event != seen.Event || i.Change.RefundID != seen.RefundID {
			lost = true // decided on an invoice that is no more: look again before any money moves
			return i, bus.ErrNothing
		}
		return i.Refunding(r, events.Fact{At: w.Bus.Now(), Why: intent(inv.Invoice, r)})
	})
	switch {
	case errors.Is(err, bus.ErrTooLarge):
		return bus.Park(err)
	case err != nil:
		return bus.Snooze(err)
	case lost:
		return bus.SnoozeFor(soon, errors.New("the invoice has changed meanwhile"))
	}
	if o, stop := w.stop(ctx, d, after, want, restored); stop {
		return o
	}
	return w.call(ctx, after, want, as)
}

// outcomeRoom is by how many bytes the event of an outcome may be larger than that of the intent: the provider's words and
// references.
const outcomeRoom = 8 << 10

// outcomeFits says whether the event of the intent, and after it that of whatever the provider answers, can be recorded.
func (w *Worker) outcomeFits(ctx context.Context, inv events.Invoice, r events.Refund) error {
	intended, err := inv.Refunding(r, events.Fact{At: w.Bus.Now(), Why: intent(inv, r)})
	if err != nil {
		return nil //nolint:nilerr // what is not allowed is not recorded either
	}
	size, err := bus.EventSize(Name, intended)
	if err != nil {
		return err
	}
	return w.Bus.RoomForOutcome(ctx, size+outcomeRoom)
}

// stop looks once more, right before the call, for what may have happened while the intent was recorded: that the broker was
// restored from a backup, or that another copy may have the message.
func (w *Worker) stop(ctx context.Context, d bus.Delivery, inv events.Invoice, want events.Return, restored time.Time) (bus.Outcome, bool) {
	r, _ := inv.Refund(want.RefundID)
	at, err := w.Bus.RestoredAt(ctx)
	switch {
	case err != nil:
		return w.notSent(ctx, inv, r, bus.Snooze(err), "not sent: it cannot be known whether the broker was restored from a backup"), true
	case at.After(restored) && d.Time.Before(at):
		fact := w.restoredFact(at)
		return w.then(ctx, inv.Key(), bus.Done, func(i events.Invoice) (events.Invoice, error) { return i.RefundDoubted(r, fact) }), true
	case d.Lost():
		return w.notSent(ctx, inv, r, bus.Dropped, "not sent: the broker was not heard for so long that another copy may have the message"), true
	}
	return bus.Outcome{}, false
}

// notSent takes back an intent that this copy did not act on.
func (w *Worker) notSent(ctx context.Context, inv events.Invoice, r events.Refund, o bus.Outcome, why string) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Why: why}
	return w.then(ctx, inv.Key(), o, func(i events.Invoice) (events.Invoice, error) {
		if now, _ := i.Refund(r.RefundID); now.Status != r.Status || now.Attempts != r.Attempts {
			return i, bus.ErrNothing // another copy has taken it up
		}
		return i.RefundNotSent(r.RefundID, fact)
	})
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
	_, err := w.Bus.UpdateFrom(ctx, Name, inv, bus.IfAllowed(next))
	return bus.Recorded(err)
}
