package events

import "fmt"

// ClosingAsked records that the period is to be closed. It is asked for once.
func (p Period) ClosingAsked(shop, period, by string, f Fact) (Period, error) {
	p.Shop, p.Period, p.RequestedAt = shop, period, at(f)
	if p.state() != PeriodNone {
		return p, fmt.Errorf("the period has been asked for before: %w", ErrNotAllowed)
	}
	return p.change(EventClosing, by, f)
}

// Marking records the intent to mark, before the provider is called. An attempt that is still under
// way then has lost its answer: it stays in doubt for good.
func (p Period) Marking(terminal string, ledgerBefore uint64, f Fact) (Period, error) {
	if p.state() != PeriodClosing {
		return p, fmt.Errorf("marking on %s: %w", p.state(), ErrNotAllowed)
	}
	if p.Mark.UnderWay {
		p.Mark.InDoubt++
	}
	p.Terminal, p.LedgerBefore = terminal, ledgerBefore
	p.Mark.Count, p.Mark.UnderWay = p.Mark.Count+1, true
	return p.change(EventClosing, string(ActorReconciler), f)
}

// MarkNotDone records that the last attempt is proved not to have marked anything.
func (p Period) MarkNotDone(f Fact) (Period, error) {
	if p.state() != PeriodClosing || !p.Mark.UnderWay {
		return p, fmt.Errorf("no mark is under way: %w", ErrNotAllowed)
	}
	p.Mark.UnderWay = false
	return p.change(EventClosing, string(ActorReconciler), f)
}

// Marked is what the provider's answer settled.
type Marked struct {
	TransactionPeriodID string
	Previous            *PeriodRef
	LedgerAfter         uint64
	InDoubt             int // attempts of other closings of the terminal that may have taken what belongs here
}

// MarkedAs records the provider's name of the period that it has closed.
func (p Period) MarkedAs(m Marked, f Fact) (Period, error) {
	p.TransactionPeriodID, p.Previous, p.LedgerAfter = m.TransactionPeriodID, m.Previous, m.LedgerAfter
	p.MarkedAt = at(f)
	p.Mark.UnderWay, p.Mark.InDoubt = false, p.Mark.InDoubt+m.InDoubt
	return p.change(EventMarked, string(ActorReconciler), f)
}

// Compared records the outcome of the comparison: reconciled, or mismatched when anything differs.
func (p Period) Compared(c Comparison, f Fact) (Period, error) {
	p.Comparison, p.ComparedAt = c, at(f)
	if c.Differences > 0 {
		return p.change(EventMismatched, string(ActorReconciler), f)
	}
	return p.change(EventReconciled, string(ActorReconciler), f)
}

// change checks the table and gives the period as it is after the event.
func (p Period) change(e PeriodEvent, by string, f Fact) (Period, error) {
	from := p.state()
	to, err := PeriodNext(from, e)
	if err != nil {
		return p, err
	}
	p.State = to
	p.Change = PeriodChange{Event: e, From: from, At: f.At.UTC(), By: by, Why: f.Why, Call: f.Call}
	return p, nil
}
