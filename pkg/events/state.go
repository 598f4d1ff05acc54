package events

import (
	"errors"
	"fmt"
	"sync"

	"github.com/looplab/fsm"
)

// State of an invoice.
type State string

// The states. None is an invoice of which nothing is recorded.
const (
	None      State = "NONE"
	Issued    State = "ISSUED"
	Reserved  State = "RESERVED"
	Rejected  State = "REJECTED"
	Paid      State = "PAID"
	Receipted State = "RECEIPTED"
	Canceled  State = "CANCELED"
	Failed    State = "FAILED"
	Expired   State = "EXPIRED"
	Refunded  State = "REFUNDED"
)

// States in the order of a life.
func States() []State {
	return []State{None, Issued, Reserved, Rejected, Paid, Receipted, Canceled, Failed, Expired, Refunded}
}

// Name is the last token of an INVOICES subject: what happened.
type Name string

// The events of an invoice.
const (
	EventIssued        Name = "issued"
	EventRejected      Name = "rejected"
	EventCanceled      Name = "canceled"
	EventPaid          Name = "paid"
	EventReserved      Name = "reserved"
	EventFailed        Name = "failed"
	EventOverdue       Name = "overdue"
	EventExpired       Name = "expired"
	EventReceipted     Name = "receipted"
	EventRefunding     Name = "refunding"
	EventRefunded      Name = "refunded"
	EventRefundFailed  Name = "refund_failed"
	EventRefundUnknown Name = "refund_unknown"
)

// Names of all events.
func Names() []Name {
	return []Name{EventIssued, EventRejected, EventCanceled, EventPaid, EventReserved, EventFailed, EventOverdue, EventExpired,
		EventReceipted, EventRefunding, EventRefunded, EventRefundFailed, EventRefundUnknown}
}

// Transition is one row of the table: in any of the From states the event may be recorded.
type Transition struct {
	From []State
	On   Name
	To   State // "" leaves the state as it is
	By   []Actor
	When string
	full bool // the row for a refund after which nothing is left
}

// Transitions is the life of an invoice, and the only place that knows it.
func Transitions() []Transition {
	none := []State{None}
	open := []State{Issued, Reserved}
	paid := []State{Paid, Receipted}
	poller := []Actor{ActorPoller}
	refunder := []Actor{ActorRefunder}
	settlers := []Actor{ActorRefunder, ActorReconciler, ActorOperator}
	return []Transition{
		{From: none, On: EventIssued, To: Issued, By: []Actor{ActorInvoicer}, When: "sendInvoice accepted"},
		{From: none, On: EventRejected, To: Rejected, By: []Actor{ActorInvoicer}, When: "the provider refused for good"},
		{From: none, On: EventCanceled, To: Canceled, By: []Actor{ActorCanceler}, When: "the order was canceled before there was an invoice"},
		{From: open, On: EventPaid, To: Paid, By: poller, When: "getPaymentStatus says PAID"},
		{From: []State{Issued}, On: EventReserved, To: Reserved, By: poller, When: "getPaymentStatus says RESERVED (then commitReservation)"},
		{From: open, On: EventFailed, To: Failed, By: poller, When: "getPaymentStatus says FAILED"},
		{From: open, On: EventCanceled, To: Canceled, By: []Actor{ActorPoller, ActorCanceler}, When: "getPaymentStatus says CANCELED, or cancelInvoice answers 0 or 95"},
		{From: open, On: EventOverdue, By: poller, When: "validFor is over; polling goes on"},
		{From: open, On: EventExpired, To: Expired, By: []Actor{ActorCanceler, ActorPoller}, When: "cancelInvoice after overdue answers 0 or 95, or getPaymentStatus says EXPIRED"},
		{From: []State{Canceled, Expired, Failed}, On: EventPaid, To: Paid, By: poller, When: "the provider says PAID after all (late): refunded in full"},
		{From: []State{Paid}, On: EventReceipted, To: Receipted, By: []Actor{ActorReceipter}, When: "submitPaymentReceipt accepted"},
		{From: []State{Refunded}, On: EventReceipted, By: []Actor{ActorReceipter}, When: "accepted, but the state has moved on: the fact is recorded"},
		{From: paid, On: EventRefunding, By: refunder, When: "before refundPayment: the intent, with the amount reserved"},
		{From: paid, On: EventRefunded, By: settlers, When: "refundPayment answers 0, or it is found out that it was paid back; something is left"},
		{From: paid, On: EventRefunded, To: Refunded, By: settlers, When: "the same, and nothing is left", full: true},
		{From: []State{Paid, Receipted, Refunded}, On: EventRefundFailed, By: settlers, When: "refused for good, more than what is left, or found out not to have happened; a reserve is released"},
		{From: paid, On: EventRefundUnknown, By: settlers, When: "the outcome cannot be known, also after the broker was restored from a backup: nobody repeats it blindly"},
	}
}

// ErrNotAllowed says that the table has no such transition: the state has moved on.
var ErrNotAllowed = errors.New("not allowed in this state")

// outcomes is the table, evaluated once for every state and event.
var outcomes = sync.OnceValue(func() map[step]string {
	var evs fsm.Events
	var states, labels []string
	for _, s := range States() {
		states = append(states, string(s))
	}
	for _, t := range Transitions() {
		labels = append(labels, t.label())
		for _, src := range t.From {
			evs = append(evs, fsm.EventDesc{Name: t.label(), Src: []string{string(src)}, Dst: or(string(t.To), string(src))})
		}
	}
	return evaluate(evs, states, labels)
})

func (t Transition) label() string { return label(t.On, t.full) }

func label(e Name, full bool) string {
	if full {
		return string(e) + " in full"
	}
	return string(e)
}

// Next is the state after the event; full tells of a refund whether nothing is left after it.
// Where the table has no such transition the error is [ErrNotAllowed].
func Next(from State, e Name, full bool) (State, error) {
	if to, ok := outcomes()[step{string(from), label(e, full && e == EventRefunded)}]; ok {
		return State(to), nil
	}
	return from, fmt.Errorf("%s on %s: %w", e, from, ErrNotAllowed)
}

// Can says whether the event may be recorded in the state.
func Can(from State, e Name) bool {
	_, err := Next(from, e, false)
	return err == nil
}

// Open says that the buyer can still pay: the invoice is issued, and has not ended.
func (s State) Open() bool { return s == Issued || s == Reserved }

// Closed says that the invoice has ended, paid or not. An invoice of which nothing is recorded is
// neither open nor closed.
func (s State) Closed() bool { return s != None && s != "" && !s.Open() }

// Final says that the buyer can no longer pay. It is true of the empty state; use [State.Closed].
func (s State) Final() bool { return s != None && !s.Open() }

// WasPaid says that the buyer's money was taken.
func (s State) WasPaid() bool { return s == Paid || s == Receipted || s == Refunded }
