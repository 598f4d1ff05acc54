// Package poller watches every open invoice until the buyer has paid or the invoice has ended.
//
//	consumes  invoices.*.*.issued, and holds each unacknowledged while it polls (bus.Hold)
//	listens   hints.*.*: poll this one now
//	calls     getPaymentStatus, once a second for each invoice; commitReservation when it says RESERVED
//	appends   paid, reserved, canceled, failed, expired, overdue
//
// The provider reverses a payment whose PAID status nobody fetches within 20 s. All timing is in
// timing.go: the ring of 10 ms slots that says when an invoice is due, and the queues that serve the
// invoice nearest to a reversal first when there is more due than can be asked for, and keep those whom
// the provider does not answer from taking every slot. The one goroutine in loop.go owns them; poll.go is
// one question and what follows from the answer.
package poller
