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

// handleMarked fetches the report of a marked period and compares it with our ledger. The periods of one
// terminal are compared in their order: each leaves to the next what is still open.
func (w *Worker) handleMarked(ctx context.Context, d bus.Delivery, k events.PeriodKey) bus.Outcome {
	p, err := w.Bus.LoadPeriod(ctx, k)
	switch {
	case err != nil:
		return unlessUnreadable(err)
	case p.State != events.PeriodMarked:
		return bus.Done
	case !d.Redelivered && !d.Replayed:
		return bus.SnoozeFor(w.Pauses.Report, errors.New("the provider needs a moment to make the report"))
	}
	as, _, err := w.accounts(p.Shop)
	if err != nil {
		return bus.Park(err)
	}
	l, wait, err := w.openingLedger(ctx, p.Period)
	switch {
	case wait != nil:
		return bus.SnoozeFor(w.Pauses.Previous, wait)
	case err != nil:
		return unlessUnreadable(err)
	}
	if err := w.reports.Acquire(ctx, 1); err != nil {
		return bus.Snooze(err)
	}
	defer w.reports.Release(1)
	begun := time.Now()
	report, err := w.Provider.ExecuteReport(ctx, seqr.ExecuteReport{As: as, ReportID: seqr.ReportTerminalTransaction, Parameters: map[string]string{
		seqr.ParamTerminalID: p.Terminal, seqr.ParamTransactionPeriodID: p.TransactionPeriodID,
	}})
	if seqr.IsNotReady(err) {
		return bus.SnoozeFor(w.Pauses.NotReady, err)
	} else if err != nil {
		return calls.OutcomeOf(err)
	}
	call := calls.Of("executeReport", begun, nil)
	return w.compare(ctx, d.Seq, p.Period, l, report, call)
}

// openingLedger is what the periods before have left to this one; wait says that the previous period's comparison comes first.
func (w *Worker) openingLedger(ctx context.Context, p events.Period) (l ledger, wait, err error) {
	l = ledger{LedgerBefore: p.LedgerBefore, Terminal: p.Terminal}
	if p.Mark.InDoubt > 0 {
		l.Doubt = markInDoubt(p.Mark.InDoubt)
	}
	if p.Previous == nil {
		return l, nil, nil
	}
	previous, err := w.Bus.LoadPeriod(ctx, p.Previous.Key())
	if err != nil {
		return l, nil, err
	}
	if previous.State.Ended() {
		l.Since = *previous.MarkedAt
		l.Early, l.EarlyOmitted = previous.Early, previous.EarlyOmitted
		l.Outstanding, l.OutstandingOmitted = previous.Outstanding, previous.OutstandingOmitted
		return l, nil, nil
	}
	_, parked, err := w.Bus.GivenUp(ctx, Name, previous.Key.Shop, previous.Key.Period)
	if err != nil {
		return l, nil, err
	}
	if !parked {
		return l, fmt.Errorf("the previous period %s is not compared yet", previous.Key), nil
	}
	unknown := fmt.Sprintf("the previous period %s is parked before its comparison: what its report had is not known here", previous.Key)
	if l.Doubt != "" {
		unknown = l.Doubt + "; " + unknown
	}
	l.Doubt = unknown
	return l, nil, nil
}

// compare compares the report with our ledger as it is by now, and records the outcome.
func (w *Worker) compare(ctx context.Context, seq uint64, p events.Period, l ledger, report seqr.Report, call *events.Call) bus.Outcome {
	recorded, err := w.readLedger(ctx, p)
	if err != nil {
		return unlessUnreadable(err)
	}
	l.Entries, l.UnderWay = recorded.ledger, recorded.underWay
	doubts := recorded.doubts
	c := compareWith(l)
	if err := addRows(c, report, p); err != nil {
		return bus.Retry(err)
	}
	if n := len(c.unmatched); n > 0 { // the poller may be about to record them
		if pause, again := w.lookAgain(seq); again {
			return bus.SnoozeFor(pause, fmt.Errorf("%d rows are not recorded here, or not yet", n))
		}
	}
	w.looked(seq)
	settled, err := w.recordSettlements(ctx, p, settlements(doubts, c, *p.MarkedAt))
	switch {
	case err != nil:
		return bus.Snooze(err)
	case settled:
		return bus.SnoozeFor(w.Pauses.Previous, errors.New("the report settled refunds that were in doubt; comparing anew"))
	}
	result, err := c.conclude(ledgerEntries(doubts))
	if err != nil {
		return bus.Park(fmt.Errorf("report of %s: %w", p.TransactionPeriodID, err))
	}
	result.OpenRefunds = &events.OpenRefunds{}
	result.OpenRefunds.Invoices, result.OpenRefunds.Omitted = atMost(recorded.open, maxOpenRefunds, maxOpenRefundsBytes, 0)
	fact := events.Fact{At: w.Bus.Now(), Why: verdict(result), Call: call}
	_, err = w.Bus.UpdatePeriod(ctx, Name, p.Key(), func(p events.Period) (events.Period, error) {
		if p.State != events.PeriodMarked {
			return p, bus.ErrNothing
		}
		return p.Compared(result, fact)
	})
	return bus.Recorded(err)
}

// addRows gives the report's rows to the comparison, and makes sure that it is the report asked for.
func addRows(c *comparison, report seqr.Report, p events.Period) error {
	meta, err := seqr.ParseTransactionDetails(report.Content, func(r seqr.ReportRow) error {
		c.addRow(row{Ref: r.ErsReference, Amount: r.SalesAmount.Trim(0), Terminal: r.TerminalID})
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("the report of %s: %w", p.TransactionPeriodID, err)
	case meta.TransactionPeriodID != "" && meta.TransactionPeriodID != p.TransactionPeriodID:
		return fmt.Errorf("asked for the report of %s, got that of %.64q", p.TransactionPeriodID, meta.TransactionPeriodID)
	case meta.TerminalID != "" && meta.TerminalID != p.Terminal:
		return fmt.Errorf("asked for the report of terminal %s, got that of %.64q", p.Terminal, meta.TerminalID)
	}
	return nil
}

func verdict(c events.Comparison) string {
	if c.Differences == 0 {
		return fmt.Sprintf("all %d rows agree with our ledger", c.Rows)
	}
	return fmt.Sprintf("%d differences, %d of %d rows agree with our ledger", c.Differences, c.Matched, c.Rows)
}

// unlessUnreadable lets the delivery come again, and parks it for a person when an event cannot be read.
func unlessUnreadable(err error) bus.Outcome {
	if errors.As(err, new(errUnreadable)) || errors.Is(err, events.ErrPeriodUnreadable) {
		return bus.Park(err)
	}
	return bus.Snooze(err)
}
