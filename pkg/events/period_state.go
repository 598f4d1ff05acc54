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
