package events

import (
	"slices"
	"sync"
)

// Actor is who records an event of an invoice: a worker, or a person through a command.
type Actor string

// The actors.
const (
	ActorInvoicer   Actor = "invoicer"
	ActorPoller     Actor = "poller"
	ActorReceipter  Actor = "receipter"
	ActorCanceler   Actor = "canceler"
	ActorRefunder   Actor = "refunder"
	ActorReconciler Actor = "reconciler"
	ActorOperator   Actor = "operator"
)

// Actors are all who may record an event of an invoice.
func Actors() []Actor {
	return []Actor{ActorInvoicer, ActorPoller, ActorReceipter, ActorCanceler, ActorRefunder, ActorReconciler, ActorOperator}
}

// recorders is the column "recorded by" of the table, for each event.
var recorders = sync.OnceValue(func() map[Name][]Actor {
	by := map[Name][]Actor{}
	for _, t := range Transitions() {
		by[t.On] = append(by[t.On], t.By...)
	}
	return by
})

// MayRecord says whether the actor may record the event in one state or another.
func MayRecord(e Name, a Actor) bool { return slices.Contains(recorders()[e], a) }

// RecordersOf gives those who may record the event in one state or another, in the order of [Actors].
func RecordersOf(e Name) []Actor {
	return slices.DeleteFunc(Actors(), func(a Actor) bool { return !MayRecord(e, a) })
}
