package events

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/looplab/fsm"
)

// This file is the only place that knows the states of an invoice, its events, and which actor may record which of them when.
// Everything else asks: [State.Open], [State.Paid], [State.Ended], [Name.AboutRefund], [Name.IsFailure], [Name.Opens],
// [Name.Closes], [Next] and [RecordersOf]. After a change, UPDATE=1 go test ./pkg/events ./schemas writes what is
// generated from it.

// State is the state of an invoice. The empty state is [None].
type State string

// The states.
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

// stage is what a state says about the payment. Each state has exactly one.
type stage string

const (
	nothingYet stage = "nothing yet" // there is no invoice
	open       stage = "open"        // the buyer can pay
	paid       stage = "paid"        // the buyer's money was taken; it is never open or ended again
	ended      stage = "ended"       // without a payment; one that the provider reports all the same is late
)

// stateRow is a row of the table of states. Every column must be given.
type stateRow struct {
	state State
	stage stage
	about string
}

// stateTable has a row for every state, in the order of an invoice's life.
var stateTable = [...]stateRow{
	{None, nothingYet, "nothing is recorded"},
	{Issued, open, "the provider has the invoice, and the buyer can pay it"},
	{Reserved, open, "the buyer's money is reserved, and has to be committed"},
	{Rejected, ended, "the provider refused the order for good"},
	{Paid, paid, "the buyer has paid"},
	{Receipted, paid, "paid, and the provider has the receipt"},
	{Canceled, ended, "the shop or the buyer canceled it"},
	{Failed, ended, "the provider could not take the payment"},
	{Expired, ended, "the buyer's time was over"},
	{Refunded, paid, "paid, and all of it was paid back"},
}

func (s State) stage() stage {
	r, _ := first(stateTable[:], func(r stateRow) bool { return r.state == s })
	return r.stage
}

// Open says that the buyer can still pay.
func (s State) Open() bool { return s.stage() == open }

// Paid says that the buyer's money was taken, also when some or all of it was paid back since.
func (s State) Paid() bool { return s.stage() == paid }

// Ended says that the invoice ended without a payment.
func (s State) Ended() bool { return s.stage() == ended }

// Name is the name of an event of an invoice: the last token of its subject on INVOICES.
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

type (
	subject string // what an event is about
	result  string // whether it is what the shop wished for
)

const (
	thePayment subject = "payment"
	aRefund    subject = "refund" // the event names it in its change

	fine    result = ""
	failure result = "failure" // a person may want to look
)

// eventRow is a row of the table of events. Every column must be given.
type eventRow struct {
	name    Name
	subject subject
	result  result
}

// eventTable has a row for every event, in the order of an invoice's life.
var eventTable = [...]eventRow{
	{EventIssued, thePayment, fine},
	{EventRejected, thePayment, failure},
	{EventCanceled, thePayment, fine},
	{EventPaid, thePayment, fine},
	{EventReserved, thePayment, fine},
	{EventFailed, thePayment, failure},
	{EventOverdue, thePayment, fine},
	{EventExpired, thePayment, fine},
	{EventReceipted, thePayment, fine},
	{EventRefunding, aRefund, fine},
	{EventRefunded, aRefund, fine},
	{EventRefundFailed, aRefund, failure},
	{EventRefundUnknown, aRefund, failure},
}

// Names gives every event in the order of an invoice's life.
func Names() []Name {
	var out []Name
	for _, r := range eventTable {
		out = append(out, r.name)
	}
	return out
}

func (e Name) row() eventRow {
	r, _ := first(eventTable[:], func(r eventRow) bool { return r.name == e })
	return r
}

// AboutRefund says that the event is about one refund, which its change names.
func (e Name) AboutRefund() bool { return e.row().subject == aRefund }

// IsFailure says that the event is not what the shop wished for: a person may want to look.
func (e Name) IsFailure() bool { return e.row().result == failure }

// Opens says that the event makes an open invoice of one that was not open.
func (e Name) Opens() bool {
	return e.leads(func(from, to State) bool { return !from.Open() && to.Open() })
}

// Closes says that the buyer can no longer pay an open invoice after the event.
func (e Name) Closes() bool {
	return e.leads(func(from, to State) bool { return from.Open() && !to.Open() })
}

func (e Name) leads(fits func(from, to State) bool) bool {
	return slices.ContainsFunc(transitionTable, func(t Transition) bool {
		return t.On == e && slices.ContainsFunc(t.From, func(from State) bool { return fits(from, t.to(from)) })
	})
}

// Transition is a row of the table of transitions: in each of the From states, each of the By actors may record the event.
type Transition struct {
	From []State
	On   Name
	To   State // "" leaves the state as it is
	By   []Actor
	When string
	full bool // the row for a refund after which nothing is left
}

// Transitions gives the table of transitions.
func Transitions() []Transition { return slices.Clone(transitionTable) }

var transitionTable = func() []Transition {
	none := []State{None}
	issuedOrReserved := []State{Issued, Reserved}
	notRefunded := []State{Paid, Receipted}
	poller := []Actor{ActorPoller}
	refunder := []Actor{ActorRefunder}
	settlers := []Actor{ActorRefunder, ActorReconciler, ActorOperator}
	return []Transition{
		{From: none, On: EventIssued, To: Issued, By: []Actor{ActorInvoicer}, When: "sendInvoice accepted"},
		{From: none, On: EventRejected, To: Rejected, By: []Actor{ActorInvoicer}, When: "the provider refused for good"},
		{From: none, On: EventCanceled, To: Canceled, By: []Actor{ActorCanceler}, When: "the order was canceled before there was an invoice"},
		{From: issuedOrReserved, On: EventPaid, To: Paid, By: poller, When: "getPaymentStatus says PAID"},
		{From: []State{Issued}, On: EventReserved, To: Reserved, By: poller, When: "getPaymentStatus says RESERVED (then commitReservation)"},
		{From: issuedOrReserved, On: EventFailed, To: Failed, By: poller, When: "getPaymentStatus says FAILED"},
		{From: issuedOrReserved, On: EventCanceled, To: Canceled, By: []Actor{ActorPoller, ActorCanceler}, When: "getPaymentStatus says CANCELED, or cancelInvoice answers 0 or 95"},
		{From: issuedOrReserved, On: EventOverdue, By: poller, When: "validFor is over; polling goes on"},
		{From: issuedOrReserved, On: EventExpired, To: Expired, By: []Actor{ActorCanceler, ActorPoller}, When: "cancelInvoice after overdue answers 0 or 95, or getPaymentStatus says EXPIRED"},
		{From: []State{Canceled, Expired, Failed}, On: EventPaid, To: Paid, By: poller, When: "the provider says PAID after all (late): refunded in full"},
		{From: []State{Paid}, On: EventReceipted, To: Receipted, By: []Actor{ActorReceipter}, When: "submitPaymentReceipt accepted"},
		{From: []State{Refunded}, On: EventReceipted, By: []Actor{ActorReceipter}, When: "accepted, but the state has moved on: the fact is recorded"},
		{From: notRefunded, On: EventRefunding, By: refunder, When: "before refundPayment: the intent, with the amount reserved"},
		{From: notRefunded, On: EventRefunded, By: settlers, When: "refundPayment answers 0, or it is found out that it was paid back; something is left"},
		{From: notRefunded, On: EventRefunded, To: Refunded, By: settlers, When: "the same, and nothing is left", full: true},
		{From: []State{Paid, Receipted, Refunded}, On: EventRefundFailed, By: settlers, When: "refused for good, more than what is left, or found out not to have happened; a reserve is released"},
		{From: notRefunded, On: EventRefundUnknown, By: refunder, When: "the outcome cannot be known, also after the broker was restored from a backup: the refund is not sent again"},
	}
}()

func (t Transition) to(from State) State { return cmp.Or(t.To, from) }

func (t Transition) label() string { return label(t.On, t.full) }

func label(e Name, full bool) string {
	if full {
		return string(e) + " in full"
	}
	return string(e)
}

// ErrNotAllowed says that the table has no such transition: the state has moved on.
var ErrNotAllowed = errors.New("not allowed in this state")

// steps is where each event leads from each state where it may be recorded.
var steps = sync.OnceValue(func() map[step]string {
	var table fsm.Events
	for _, t := range transitionTable {
		for _, from := range t.From {
			table = append(table, fsm.EventDesc{Name: t.label(), Src: []string{string(from)}, Dst: string(t.to(from))})
		}
	}
	return evaluate(table)
})

// Next gives the state after the event; full says of a refund that nothing is left after it.
// Where the table has no such transition the error is [ErrNotAllowed].
func Next(from State, e Name, full bool) (State, error) {
	if to, ok := steps()[step{string(from), label(e, full && e == EventRefunded)}]; ok {
		return State(to), nil
	}
	return from, fmt.Errorf("%s on %s: %w", e, from, ErrNotAllowed)
}

// RecordersOf gives the actors that may record the event in the state, in the order of the table; none where it may not be
// recorded. The empty state is [None].
func RecordersOf(from State, e Name) []Actor {
	t, _ := first(transitionTable, func(t Transition) bool { return t.On == e && slices.Contains(t.From, cmp.Or(from, None)) })
	return t.By
}

// step is an event in a state.
type step struct{ from, event string }

// evaluate asks looplab/fsm where each event of the table leads from each state. The machine is built once and put into
// each state in turn.
func evaluate(table fsm.Events) map[step]string {
	m, to := fsm.NewFSM("", table, nil), map[step]string{}
	for _, e := range table {
		for _, from := range e.Src {
			m.SetState(from)
			if err := m.Event(context.Background(), e.Name); err != nil && !errors.As(err, new(fsm.NoTransitionError)) {
				panic(fmt.Sprintf("events: %s on %s: %v", e.Name, from, err))
			}
			to[step{from, e.Name}] = m.Current()
		}
	}
	return to
}

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
