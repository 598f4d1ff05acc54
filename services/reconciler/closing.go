package reconciler

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

// handleClosing marks the period at the provider. Each attempt is recorded before it is made: one without
// an answer may have ended a period of which the id is lost, and that must not be forgotten.
// Of several closings of one terminal only one may have an attempt under way, so that the order in
// which they are recorded is the provider's order too.
func (w *Worker) handleClosing(ctx context.Context, asked events.Period) bus.Outcome {
	as, terminal, err := w.accounts(asked.Shop)
	if err != nil {
		return bus.Park(err)
	}
	k := asked.Key()
	n, err := w.neighbours(ctx, k, terminal)
	switch {
	case err != nil:
		return bus.Snooze(err)
	case n.moved:
		return bus.Done
	case n.busy != nil:
		return bus.SnoozeFor(w.Pauses.Previous, n.busy)
	}
	if recorded, err := w.recordIntent(ctx, k, terminal); err != nil || !recorded {
		return bus.Recorded(err)
	}
	if n, err = w.neighbours(ctx, k, terminal); err == nil {
		err = n.busy
	}
	if err != nil { // another closing was a moment quicker
		return w.withdrawIntent(ctx, k, nil, err, bus.SnoozeFor(w.Pauses.Previous, err))
	}
	begun := time.Now()
	id, err := w.Provider.MarkTransactionPeriod(ctx, seqr.MarkTransactionPeriod{
		As: as, Parameters: map[string]string{seqr.ParamTerminalID: terminal},
	})
	call := calls.Of("markTransactionPeriod", begun, err)
	switch {
	case err == nil:
		return w.recordMarked(ctx, k, id, n, call)
	case seqr.IsOutcomeUnknown(err):
		return calls.OutcomeOf(err) // the attempt stays under way: the next one will find it in doubt
	}
	return w.withdrawIntent(ctx, k, call, err, calls.OutcomeOf(err))
}

// recordIntent records that the provider is about to be called, and where our ledger is before that.
func (w *Worker) recordIntent(ctx context.Context, k events.PeriodKey, terminal string) (recorded bool, err error) {
	before, err := w.Bus.LastSeq(ctx, events.InvoicesStream)
	if err != nil {
		return false, err
	}
	now := w.Bus.Now()
	_, err = w.Bus.UpdatePeriod(ctx, Name, k, func(p events.Period) (events.Period, error) {
		if recorded = p.State == events.PeriodClosing; !recorded {
			return p, bus.ErrNothing
		}
		why := "about to call markTransactionPeriod"
		if p.Mark.UnderWay {
			why += "; the answer to the attempt before was lost, it may have marked"
		}
		return p.Marking(terminal, before, events.Fact{At: now, Why: why})
	})
	return recorded, err
}

// withdrawIntent records that the attempt has marked nothing; cause is the proof.
func (w *Worker) withdrawIntent(ctx context.Context, k events.PeriodKey, call *events.Call, cause error, o bus.Outcome) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Why: "nothing was marked: " + cause.Error(), Call: call}
	_, err := w.Bus.UpdatePeriod(ctx, Name, k, func(p events.Period) (events.Period, error) {
		if p.State != events.PeriodClosing || !p.Mark.UnderWay {
			return p, bus.ErrNothing
		}
		return p.MarkNotDone(fact)
	})
	if err != nil {
		return bus.Snooze(errors.Join(cause, err))
	}
	return o
}

// recordMarked records the provider's name of the period.
func (w *Worker) recordMarked(ctx context.Context, k events.PeriodKey, id string, n neighbours, call *events.Call) bus.Outcome {
	now := w.Bus.Now()
	overtaken := false
	err := w.Bus.Insist(ctx, func(ctx context.Context) error {
		_, err := w.Bus.UpdatePeriod(ctx, Name, k, func(p events.Period) (events.Period, error) {
			if overtaken = p.State != events.PeriodClosing; overtaken {
				return p, bus.ErrNothing
			}
			m := events.Marked{TransactionPeriodID: id, Previous: n.previous, LedgerAfter: n.ledgerAfter, InDoubt: n.inDoubt}
			why := fmt.Sprintf("the provider closed its period %s", id)
			if doubtful := p.Mark.InDoubt + n.inDoubt; doubtful > 0 {
				why += "; " + markInDoubt(doubtful)
			}
			return p.MarkedAs(m, events.Fact{At: now, Why: why, Call: call})
		})
		return err
	})
	if err == nil && overtaken {
		w.Log.Error().Str("shop", k.Shop).Str("period", k.Period).Str("transactionPeriodId", id).
			Msg("two copies marked the same closing; this provider period is the one that is not recorded")
	}
	return bus.Recorded(err)
}

// markInDoubt is the explanation that a person needs when payments are missing from the report.
func markInDoubt(attempts int) string {
	return fmt.Sprintf("an earlier mark of this terminal may have taken entries into a period whose id was lost (attempts without an answer: %d)", attempts)
}
