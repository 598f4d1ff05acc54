package events

import (
	"context"
	"errors"
	"fmt"

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
	By   string
	When string
	full bool // the row for a refund after which nothing is left
}

// Transitions is the life of an invoice, and the only place that knows it.
func Transitions() []Transition {
	open := []State{Issued, Reserved}
	paid := []State{Paid, Receipted}
	return []Transition{
		{From: []State{None}, On: EventIssued, To: Issued, By: "invoicer", When: "sendInvoice accepted"},
		{From: []State{None}, On: EventRejected, To: Rejected, By: "invoicer", When: "the provider refused for good"},
		{From: []State{None}, On: EventCanceled, To: Canceled, By: "canceler", When: "the order was canceled before there was an invoice"},
		{From: open, On: EventPaid, To: Paid, By: "poller", When: "getPaymentStatus says PAID"},
		{From: []State{Issued}, On: EventReserved, To: Reserved, By: "poller", When: "getPaymentStatus says RESERVED (then commitReservation)"},
		{From: open, On: EventFailed, To: Failed, By: "poller", When: "getPaymentStatus says FAILED"},
		{From: open, On: EventCanceled, To: Canceled, By: "poller, canceler", When: "getPaymentStatus says CANCELED, or cancelInvoice answers 0 or 95"},
		{From: open, On: EventOverdue, By: "poller", When: "validFor is over; polling goes on"},
		{From: open, On: EventExpired, To: Expired, By: "canceler, poller", When: "cancelInvoice after overdue answers 0 or 95, or getPaymentStatus says EXPIRED"},
		{From: []State{Canceled, Expired, Failed}, On: EventPaid, To: Paid, By: "poller, canceler", When: "the provider says PAID after all (late): refunded in full"},
		{From: []State{Paid}, On: EventReceipted, To: Receipted, By: "receipter", When: "submitPaymentReceipt accepted"},
		{From: []State{Refunded}, On: EventReceipted, By: "receipter", When: "accepted, but the state has moved on: the fact is recorded"},
		{From: paid, On: EventRefunding, By: "refunder", When: "before refundPayment: the intent, with the amount reserved"},
		{From: paid, On: EventRefunded, By: "refunder", When: "refundPayment answers 0, and something is left"},
		{From: paid, On: EventRefunded, To: Refunded, By: "refunder", When: "refundPayment answers 0, and nothing is left", full: true},
		{From: []State{Paid, Receipted, Refunded}, On: EventRefundFailed, By: "refunder", When: "refused for good, or more than what is left; a reserve is released"},
		{From: paid, On: EventRefundUnknown, By: "refunder", When: "the outcome cannot be known: nobody repeats it blindly"},
	}
}

// ErrNotAllowed says that the table has no such transition: the state has moved on.
var ErrNotAllowed = errors.New("not allowed in this state")

// machine is the table as a state machine that stands in the given state. It costs some 15 µs to make,
// next to nothing beside the fsync of the event that it decides about.
func machine(from State) *fsm.FSM {
	var evs fsm.Events
	for _, t := range Transitions() {
		for _, src := range t.From {
			dst := t.To
			if dst == "" {
				dst = src
			}
			evs = append(evs, fsm.EventDesc{Name: t.label(), Src: []string{string(src)}, Dst: string(dst)})
		}
	}
	return fsm.NewFSM(string(from), evs, nil)
}

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
	m := machine(from)
	if l := label(e, full && e == EventRefunded); m.Can(l) {
		err := m.Event(context.Background(), l)
		var same fsm.NoTransitionError
		if err != nil && !errors.As(err, &same) {
			return from, fmt.Errorf("%s on %s: %w", e, from, err)
		}
		return State(m.Current()), nil
	}
	return from, fmt.Errorf("%s on %s: %w", e, from, ErrNotAllowed)
}

// Can says whether the event may be recorded in the state.
func Can(from State, e Name) bool {
	_, err := Next(from, e, false)
	return err == nil
}

// Final says that the buyer can no longer pay, as far as we know: the poller lets go.
func (s State) Final() bool { return s != None && s != Issued && s != Reserved }

// WasPaid says that the buyer's money was taken.
func (s State) WasPaid() bool { return s == Paid || s == Receipted || s == Refunded }
