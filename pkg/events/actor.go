package events

// Actor is what records an event: a worker, or a person through a command ([ActorOperator]).
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

const sourcePrefix = "/seqrflow/"

// SourceOf gives the CloudEvents source of events that the actor records.
func SourceOf(a Actor) string { return sourcePrefix + string(a) }
