package events

import (
	"fmt"
	"sync"

	"github.com/looplab/fsm"
)

// PeriodState is how far the closing of a period has come.
type PeriodState string

// The states of a closing. PeriodNone is a period that was not asked to be closed.
const (
	PeriodNone       PeriodState = "NONE"
	PeriodClosing    PeriodState = "CLOSING"
	PeriodMarked     PeriodState = "MARKED"
	PeriodReconciled PeriodState = "RECONCILED"
	PeriodMismatched PeriodState = "MISMATCHED"
)

// Ended says that the comparison is made.
func (s PeriodState) Ended() bool { return s == PeriodReconciled || s == PeriodMismatched }

// PeriodEvent is the last token of a PERIODS subject.
type PeriodEvent string

// The events of a period.
const (
	EventClosing    PeriodEvent = "closing"
	EventMarked     PeriodEvent = "marked"
	EventReconciled PeriodEvent = "reconciled"
	EventMismatched PeriodEvent = "mismatched"
)

// PeriodEvents gives every event of a period in the order of a closing.
func PeriodEvents() []PeriodEvent {
	return []PeriodEvent{EventClosing, EventMarked, EventReconciled, EventMismatched}
}

// periodTransitions is the life of a period's closing: in the From state the event may be recorded.
var periodTransitions = [...]struct {
	From PeriodState
	On   PeriodEvent
	To   PeriodState
}{
	{PeriodNone, EventClosing, PeriodClosing},         // a person or a scheduled command asks for it
	{PeriodClosing, EventClosing, PeriodClosing},      // before each markTransactionPeriod: the intent; and when it is proved not to have happened
	{PeriodClosing, EventMarked, PeriodMarked},        // markTransactionPeriod accepted
	{PeriodMarked, EventReconciled, PeriodReconciled}, // the report and our ledger agree
	{PeriodMarked, EventMismatched, PeriodMismatched}, // they differ: one line for each difference
}

// periodSteps is where each event leads from each state where it may be recorded.
var periodSteps = sync.OnceValue(func() map[step]string {
	var table fsm.Events
	for _, t := range periodTransitions {
		table = append(table, fsm.EventDesc{Name: string(t.On), Src: []string{string(t.From)}, Dst: string(t.To)})
	}
	return evaluate(table)
})

// PeriodNext is the state after the event. Where the table has no such transition the error is
// [ErrNotAllowed].
func PeriodNext(from PeriodState, e PeriodEvent) (PeriodState, error) {
	if to, ok := periodSteps()[step{string(from), string(e)}]; ok {
		return PeriodState(to), nil
	}
	return from, fmt.Errorf("%s on %s: %w", e, from, ErrNotAllowed)
}

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
