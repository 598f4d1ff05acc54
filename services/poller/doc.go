// Package poller watches every open invoice until the provider has said how it ended.
//
//	leases    the index of open invoices, open.*.*: one entry each, from before sendInvoice to the invoice's end
//	listens   hints.*.*: poll this one now; issued.*.*: it was recorded just now; watching.*: what the other pollers hold
//	calls     getPaymentStatus, once a second for each invoice; commitReservation when it says RESERVED
//	appends   paid, reserved, canceled, failed, expired, overdue
//	publishes watching.<id>, once a second
//
// The provider reverses a payment whose PAID status nobody fetches within 20 s. An invoice that ends, recorded or parked,
// is removed from the index; nothing that a start does grows with how many have ended.
//
//	leases.go    entries come, are loaded, polled, given back or removed; entry.go says which of these
//	preparing.go entries whose invoice is not recorded yet; balance.go keeps the copies' shares alike
//	scheduler.go which invoice is asked about next (pure); terminal.go, queue.go, watch.go are what it works on
//	poll.go      one question, what its answer asks for, and the one place that does it
//	hints.go     what hints do
//	loop.go      the goroutine that owns the scheduler and all that is held; survey.go its look at all of it each second
//
// Sizing: calls at once = open invoices × the provider's latency / interval. 3,500 invoices at a latency of 1 s and the
// interval of 1 s need 3,500. Up to Config.Concurrency are made, as many as are needed; a warning and the lateness
// tell when it is too low, long before a payment is in danger: each invoice is then asked about every
// open invoices × latency / Concurrency seconds.
package poller
