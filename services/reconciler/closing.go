package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
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
	switch recorded, err := w.recordIntent(ctx, k, terminal); {
	case errors.Is(err, errOtherTerminal):
		return bus.Park(err)
	case err != nil || !recorded:
		return bus.Recorded(err)
	}
	if n, err = w.neighbours(ctx, k, terminal); err == nil {
		err = n.busy
	}
	if n.moved {
		return bus.Done // by another copy
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

// errOtherTerminal says that the shop had another terminal when it was asked to mark, and that what came of it is not known. A mark of
// today's terminal would have that forgotten: the next closing of the other one has to know of it.
var errOtherTerminal = errors.New("the shop's terminal was replaced")

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
		if p.Terminal != terminal && (p.Mark.UnderWay || p.Mark.InDoubt > 0) {
			return p, fmt.Errorf("%w: a mark of terminal %s has no answer, and the settings now have %s; close the period of %[2]s with "+
				"its settings, by a replay, and that of %[3]s under another name", errOtherTerminal, p.Terminal, terminal)
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

// periodIndex is what is known of the periods on PERIODS. Each read goes on where the last one ended, so every event is read
// once. Its zero value is empty; it is safe for concurrent use.
type periodIndex struct {
	mu       sync.Mutex
	read     uint64                                // the last sequence that was read
	open     map[events.PeriodKey]bus.LoadedPeriod // those that have no mark yet; zero where the event is not readable
	marked   map[string]events.Period              // each terminal's period that was marked last, as it was then
	compared map[string]events.Period              // each terminal's period that was compared last
	agreed   map[string]time.Time                  // when each terminal's last period was compared that agreed
}

// readOn reads what is new; mu is locked.
func (x *periodIndex) readOn(ctx context.Context, b *bus.Bus) error {
	if x.open == nil {
		x.read, x.open = 0, map[events.PeriodKey]bus.LoadedPeriod{}
		x.marked, x.compared, x.agreed = map[string]events.Period{}, map[string]events.Period{}, map[string]time.Time{}
	}
	last, err := b.Scan(ctx, bus.Scan{Stream: events.PeriodsStream, From: x.read + 1}, func(e bus.Entry) error {
		x.add(e)
		return nil
	})
	if err == nil && last < x.read { // the stream is another one, restored or made anew
		x.open = nil
		return x.readOn(ctx, b)
	}
	return err
}

// add notes one event of PERIODS.
func (x *periodIndex) add(e bus.Entry) {
	x.read = e.Seq
	a, err := events.ParseSubject(e.Subject)
	if err != nil {
		return // nothing that is ours has such a subject
	}
	k := events.PeriodKey{Shop: a.Shop, Period: a.ID}
	p, err := events.DecodePeriod(e.Body)
	delete(x.open, k)
	switch event := events.PeriodEvent(a.Event); {
	case event == events.EventClosing:
		x.open[k] = bus.LoadedPeriod{Period: p, Key: k, Seq: e.Seq}
	case err != nil: // no reconciler wrote it
	case event == events.EventMarked:
		x.marked[p.Terminal] = p
	case p.State.Ended():
		x.compared[p.Terminal] = p
		if p.State == events.PeriodReconciled {
			x.agreed[p.Terminal] = e.Time
		}
	}
}

// outcomes gives each terminal's last period that was compared, and when its last one was compared that agreed.
func (x *periodIndex) outcomes(ctx context.Context, b *bus.Bus) (compared map[string]events.Period, agreed map[string]time.Time, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	err = x.readOn(ctx, b)
	return maps.Clone(x.compared), maps.Clone(x.agreed), err
}

// neighbours is what the other closings of a terminal mean to one closing. Several shops may share a terminal,
// and the provider's periods are the terminal's.
type neighbours struct {
	moved       bool              // the closing itself is past its mark
	busy        error             // the mark of another closing is under way
	previous    *events.PeriodRef // the period that was marked last
	ledgerAfter uint64            // where our ledger was before that mark
	inDoubt     int               // attempts of closings that never got an answer and have no mark yet
}

// neighbours gives the other closings of the terminal as they were at one moment. Of two that have an attempt under way, the
// one that recorded it first goes on.
func (w *Worker) neighbours(ctx context.Context, own events.PeriodKey, terminal string) (n neighbours, err error) {
	w.periods.mu.Lock()
	defer w.periods.mu.Unlock()
	if err := w.periods.readOn(ctx, w.Bus); err != nil {
		return n, err
	}
	self, unmarked := w.periods.open[own]
	n.moved = !unmarked
	if last, ok := w.periods.marked[terminal]; ok {
		n.previous, n.ledgerAfter = &events.PeriodRef{Shop: last.Shop, Period: last.Period}, last.LedgerBefore
	}
	for k, p := range w.periods.open {
		if k == own || p.Terminal != terminal {
			continue
		}
		n.inDoubt += p.Mark.InDoubt
		if !p.Mark.UnderWay || p.Seq > self.Seq {
			continue
		}
		_, parked, err := w.Bus.GivenUp(ctx, Name, k.Shop, k.Period)
		switch {
		case err != nil:
			return n, err
		case parked:
			n.inDoubt++
		default:
			n.busy = fmt.Errorf("%s of the same terminal is being marked", k)
		}
	}
	return n, nil
}
