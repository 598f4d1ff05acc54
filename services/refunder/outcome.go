package refunder

import (
	"context"
	"errors"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// answer is how a refundPayment ended.
type answer struct {
	request      // its refund as it was recorded before the call
	call         *events.Call
	err          error
	ersReference string
}

// recordAnswer records how the call ended. A positive answer is always recorded, whatever was recorded meanwhile.
func (w *Worker) recordAnswer(ctx context.Context, a answer) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Call: a.call}
	switch {
	case a.err == nil:
		fact.Why = "the provider paid back"
		return w.appendOutcome(ctx, a.request, bus.Done.Asked(), func(i events.Invoice) (events.Invoice, error) {
			if _, known := i.Refund(a.RefundID); !known { // a restore has taken the intent away meanwhile
				i.Refunds = append(slices.Clone(i.Refunds), a.r)
			}
			return i.RefundedAs(a.RefundID, a.ersReference, fact)
		})
	case seqr.IsOutcomeUnknown(a.err):
		return w.recordUnknown(ctx, a, fact)
	case seqr.IsRefused(a.err) && !seqr.IsCredentialError(a.err):
		return w.appendOutcome(ctx, a.request, bus.Done.Asked(), func(i events.Invoice) (events.Invoice, error) { return a.refused(i, fact) })
	}
	// Certainly not done: a person mends the settings, or the provider is waited for.
	fact.Why = "not done: " + a.call.Description
	return w.appendOutcome(ctx, a.request, calls.OutcomeOf(a.err), func(i events.Invoice) (events.Invoice, error) { return i.RefundNotSent(a.RefundID, a.r.Attempts, fact) })
}

// refused records that this attempt was not paid. Another may have been, also one that another copy has
// made since this one was sent: what is recorded now says whether there was any.
func (a answer) refused(i events.Invoice, fact events.Fact) (events.Invoice, error) {
	now, _ := i.Refund(a.RefundID)
	switch {
	case !now.InDoubt:
		fact.Why = "the provider refused: " + fact.Call.Description
		return i.RefundRefused(a.r, fact)
	case seqr.IsRefundLimit(a.err):
		fact.Why = "the provider refuses to pay back more than was paid: so another attempt, whose answer was lost, did pay back"
		return i.RefundedAs(a.RefundID, "", fact)
	}
	fact.Why = "another attempt may have paid back, and the provider now answers " + fact.Call.Description
	return i.RefundInDoubt(a.RefundID, fact)
}

// recordUnknown leaves a refund of all that is left to be sent again, which the provider's cap makes safe, and puts a partial
// one in doubt: it is never sent again.
func (w *Worker) recordUnknown(ctx context.Context, a answer, fact events.Fact) bus.Outcome {
	fact.Why = "no answer that can be relied on: it may have been paid back"
	o := bus.Snooze(a.err)
	if seqr.IsUnanswered(a.err) {
		o = bus.Unanswered(a.err)
	}
	return w.appendOutcome(ctx, a.request, o, func(i events.Invoice) (events.Invoice, error) {
		if isOfAllThatIsLeft(a.r, i) {
			return i, bus.ErrNothing
		}
		return i.RefundInDoubt(a.RefundID, fact)
	})
}

// resolve takes up a refund whose intent is the last that is known: another copy died in the call, or
// its answer could not be recorded.
func (w *Worker) resolve(ctx context.Context, q request) bus.Outcome {
	if isOfAllThatIsLeft(q.r, q.inv.Invoice) {
		return w.attempt(ctx, q)
	}
	moved := false
	o := w.appendFrom(ctx, q.inv, func(i events.Invoice) (events.Invoice, error) {
		if moved = q.changedIn(i); moved {
			return i, bus.ErrNothing
		}
		return i.RefundInDoubt(q.RefundID, events.Fact{At: w.Bus.Now(), Why: "the process that asked the provider ended before it recorded an answer: it may have been paid back"})
	})
	if moved {
		return bus.SnoozeFor(soon, errors.New("the answer was recorded meanwhile"))
	}
	return o
}

// changedIn says whether the refund was attempted again, or has an outcome, since the request was decided.
func (q request) changedIn(i events.Invoice) bool {
	now, _ := i.Refund(q.RefundID)
	return now.Status != q.r.Status || now.Attempts != q.r.Attempts
}

// isOfAllThatIsLeft says that the provider would refuse to pay the refund a second time, because nothing would be left.
func isOfAllThatIsLeft(r events.Refund, inv events.Invoice) bool {
	return r.Amount.Cmp(inv.Total.Sub(inv.Refunded)) == 0
}

// appendOutcome appends what the call came to, and gives the outcome that follows. It holds on to the answer while the broker
// fails; when nothing could be appended all the same, the delivery comes again and finds the refund without an outcome.
func (w *Worker) appendOutcome(ctx context.Context, q request, o bus.Outcome, next bus.Decide) bus.Outcome {
	err := w.Bus.Insist(ctx, func(ctx context.Context) error {
		_, err := w.Bus.Update(ctx, Name, q.Key(), bus.IfAllowed(next))
		return err
	})
	if err != nil {
		return bus.Snooze(err)
	}
	return o
}
