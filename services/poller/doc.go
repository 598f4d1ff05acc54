// Package poller watches every open invoice until the provider has said how it ended.
//
//	leases    the index of open invoices, open.*.*: one entry each, from before sendInvoice to the invoice's end
//	listens   hints.*.*: poll this one now; issued.*.*: it was recorded just now; watching.*: what the other pollers hold
//	calls     getPaymentStatus, once a second for each invoice; commitReservation when it says RESERVED
//	appends   paid, reserved, canceled, failed, expired, overdue
//	publishes watching.<id>, once a second
//
// The provider reverses a payment whose PAID status is not fetched within 20 s. An invoice that has ended, recorded or parked,
// is removed from the index. So a start takes no longer after a long history.
//
// One goroutine, the loop, owns the scheduler and every invoice that this copy holds (watch.go). An invoice goes through the
// files in this order:
//
//	lease.go     an entry of the index is delivered and kept; its invoice is loaded; entry.go says what the entry asks for
//	loop.go      the invoice is taken in, waits until it is recorded, is polled at its turn or after a hint
//	scheduler.go which invoice is asked about next (pure); terminal.go is what is known of each terminal
//	poll.go      the provider is asked once; its answer becomes an action
//	record.go    the action is executed: the event is appended, the entry removed, or the invoice parked
//	survey.go    once a second: what is overdue, lost, or late; balance.go says how much is another copy's share
//
// Every duration and limit stands in timing.go with its reason.
//
// Sizing: calls at once = open invoices × the provider's latency / interval. 3,500 invoices at a latency of 1 s and an
// interval of 1 s need 3,500. As many are made as are needed, up to Config.Concurrency. When that is too low, each invoice is
// asked about every open invoices × latency / Concurrency seconds; a warning and the lateness tell of it long before a
// payment is in danger.
package poller
