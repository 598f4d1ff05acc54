// Package events is the event contract: what is published on which subject, what it must contain,
// and which event may follow which in the life of an invoice.
//
// Commerce systems publish order events ([Order], [Cancellation], [Return]); the workers answer with
// invoice events. Every invoice event carries the whole [Invoice] as it is after the event, so the
// last event of an invoice is its state. The one table of transitions is in state.go.
package events
