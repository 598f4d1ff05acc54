package events

import (
	"fmt"
	"sync"

	"github.com/looplab/fsm"
)

// PeriodState of a period's closing.
type PeriodState string

// The states. PeriodNone is a period that nobody has asked to close.
const (
	PeriodNone       PeriodState = "NONE"
	PeriodClosing    PeriodState = "CLOSING"
	PeriodMarked     PeriodState = "MARKED"
	PeriodReconciled PeriodState = "RECONCILED"
	PeriodMismatched PeriodState = "MISMATCHED"
)

// PeriodStates in the order of a closing.
func PeriodStates() []PeriodState {
	return []PeriodState{PeriodNone, PeriodClosing, PeriodMarked, PeriodReconciled, PeriodMismatched}
}

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

// PeriodEvents are all events of a period.
func PeriodEvents() []PeriodEvent {
	return []PeriodEvent{EventClosing, EventMarked, EventReconciled, EventMismatched}
}

// PeriodTransition is one row of the table: in the From state the event may be recorded.
type PeriodTransition struct {
	From PeriodState
	On   PeriodEvent
	To   PeriodState
	By   string
	When string
}

// PeriodTransitions is the closing of a period, and the only place that knows it.
func PeriodTransitions() []PeriodTransition {
	return []PeriodTransition{
		{PeriodNone, EventClosing, PeriodClosing, "operator, scheduler", "somebody asks for it"},
		{PeriodClosing, EventClosing, PeriodClosing, "reconciler", "before each markTransactionPeriod: the intent; and when it is proved not to have happened"},
		{PeriodClosing, EventMarked, PeriodMarked, "reconciler", "markTransactionPeriod accepted"},
		{PeriodMarked, EventReconciled, PeriodReconciled, "reconciler", "the report and our ledger agree"},
		{PeriodMarked, EventMismatched, PeriodMismatched, "reconciler", "they differ: one line for each difference"},
	}
}

// periodOutcomes is the table, evaluated once for every state and event.
var periodOutcomes = sync.OnceValue(func() map[step]string {
	var evs fsm.Events
	var states, labels []string
	for _, s := range PeriodStates() {
		states = append(states, string(s))
	}
	for _, t := range PeriodTransitions() {
		labels = append(labels, string(t.On))
		evs = append(evs, fsm.EventDesc{Name: string(t.On), Src: []string{string(t.From)}, Dst: string(t.To)})
	}
	return evaluate(evs, states, labels)
})

// PeriodNext is the state after the event. Where the table has no such transition the error is
// [ErrNotAllowed].
func PeriodNext(from PeriodState, e PeriodEvent) (PeriodState, error) {
	if to, ok := periodOutcomes()[step{string(from), string(e)}]; ok {
		return PeriodState(to), nil
	}
	return from, fmt.Errorf("%s on %s: %w", e, from, ErrNotAllowed)
}
