// Package events is the event contract: what is published on which subject, what it must contain,
// and which event may follow which in the life of an invoice.
//
// A commerce system publishes an order event: subject.go names its subject, order.go its types. [DecodeOrder],
// [DecodeCancellation] and [DecodeReturn] read it out of a [Message] and give every [Problem] at once; reader.go takes the fields
// out, and fields.go finds misspelt ones.
//
// The workers answer with events of invoices. Each carries the whole [Invoice] as it is after the event, so the last event of an
// invoice is its state. A method of facts.go gives the invoice after one event; state.go has the tables that say whether the event
// may be recorded and by which [Actor]. An [Envelope] is what is stored, and [DecodeInvoiceEvent] takes back only what an
// actor could have written. Fields of a newer version are kept: unknown.go.
//
// The period_….go files are the same for closings of periods ([Period]); parked.go is what a worker could not handle.
//
// Values are copied, never changed in place, so all of it may be used concurrently.
package events
