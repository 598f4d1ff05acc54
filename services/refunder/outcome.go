package refunder

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// ending is how a refundPayment ended.
type ending struct {
	r            events.Refund // as it was recorded before the call
	call         *events.Call
	err          error
	ersReference string
}

// settle records the ending. A positive answer is always recorded, whatever was recorded meanwhile.
func (w *Worker) settle(ctx context.Context, k events.Key, e ending) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Call: e.call}
	switch class := seqr.Classify(e.err); {
	case class == seqr.Done:
		fact.Why = "the provider paid back"
		return w.then(ctx, k, bus.Done.Asked(), func(i events.Invoice) (events.Invoice, error) {
			if _, known := i.Refund(e.r.RefundID); !known { // a restore has taken the intent away meanwhile
				i.Refunds = append(slices.Clone(i.Refunds), e.r)
			}
			return i.RefundedAs(e.r.RefundID, e.ersReference, fact)
		})
	case class == seqr.TryAgain, class == seqr.TryLater, seqr.IsCredentialError(e.err):
		fact.Why = "not done: " + e.call.Description
		return w.then(ctx, k, again(e.err), func(i events.Invoice) (events.Invoice, error) { return i.RefundNotSent(e.r.RefundID, fact) })
	case class == seqr.Refused:
		return w.then(ctx, k, bus.Done.Asked(), func(i events.Invoice) (events.Invoice, error) { return refused(i, e, fact) })
	}
	return w.unknown(ctx, k, e, fact)
}

// refused records that this attempt was not paid. Another may have been, also one that another copy has
// made since this one was sent: what is recorded now says whether there was any.
func refused(i events.Invoice, e ending, fact events.Fact) (events.Invoice, error) {
	r := e.r
	now, _ := i.Refund(r.RefundID)
	switch {
	case !now.InDoubt:
		fact.Why = "the provider refused: " + fact.Call.Description
		return i.RefundRefused(r, fact)
	case seqr.IsRefundLimit(e.err):
		fact.Why = "the provider refuses to pay back more than was paid: so another attempt, whose answer was lost, did pay back"
		return i.RefundedAs(r.RefundID, "", fact)
	}
	fact.Why = "another attempt may have paid back, and the provider now answers " + fact.Call.Description
	return i.RefundInDoubt(r.RefundID, fact)
}

// again is the outcome of a refund that was certainly not done: the settings have to be mended, or the provider is waited
// for.
func again(err error) bus.Outcome {
	if seqr.IsCredentialError(err) {
		return bus.Park(err).Asked()
	}
	return calls.OutcomeOf(err)
}

// unknown leaves a full refund to be sent again, which the provider's cap makes safe, and puts a
// partial one in doubt, which nobody repeats.
func (w *Worker) unknown(ctx context.Context, k events.Key, e ending, fact events.Fact) bus.Outcome {
	fact.Why = "no answer that can be relied on: it may have been paid back"
	o := bus.Snooze(e.err)
	if seqr.IsUnanswered(e.err) {
		o = bus.Unanswered(e.err)
	}
	return w.then(ctx, k, o, func(i events.Invoice) (events.Invoice, error) {
		if repeatable(i, e.r) {
			return i, bus.ErrNothing
		}
		return i.RefundInDoubt(e.r.RefundID, fact)
	})
}

// resolve takes up a refund whose intent is the last that is known: another copy died in the call, or
// its answer could not be recorded.
func (w *Worker) resolve(ctx context.Context, d bus.Delivery, inv bus.Loaded, want events.Return, r events.Refund, restored time.Time) bus.Outcome {
	if repeatable(inv.Invoice, r) {
		return w.attempt(ctx, d, inv, want, r, restored)
	}
	moved := false
	o := w.record(ctx, inv, func(i events.Invoice) (events.Invoice, error) {
		if now, _ := i.Refund(r.RefundID); now.Status != r.Status || now.Attempts != r.Attempts {
			moved = true
			return i, bus.ErrNothing
		}
		return i.RefundInDoubt(r.RefundID, events.Fact{At: w.Bus.Now(), Why: "the process that asked the provider ended before it recorded an answer: it may have been paid back"})
	})
	if moved {
		return bus.SnoozeFor(soon, errors.New("the answer was recorded meanwhile"))
	}
	return o
}

// repeatable says that the refund is of all that is left, so that the provider would refuse a second.
func repeatable(inv events.Invoice, r events.Refund) bool {
	return r.Amount.Cmp(inv.Total.Sub(inv.Refunded)) == 0
}

// then records and gives the outcome that follows. It holds on to the answer while the broker fails; when
// nothing could be recorded all the same, the delivery comes again and finds the refund without an outcome.
func (w *Worker) then(ctx context.Context, k events.Key, o bus.Outcome, next bus.Decide) bus.Outcome {
	err := w.Bus.Insist(ctx, func(ctx context.Context) error {
		_, err := w.Bus.Update(ctx, Name, k, bus.IfAllowed(next))
		return err
	})
	if err != nil {
		return bus.Snooze(err)
	}
	return o
}
