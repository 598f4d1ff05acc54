// Package orderview tells what the streams say of one order: the order as it was placed, the invoices by which it is or was to be
// paid, which of them counts now, and that one of them has changed.
//
//	order.go   an order with its tries, and what follows from them
//	load.go    reads an order with few requests, however long the streams are
//	hub.go     one reader of INVOICES for all who wait for an order to change
//
// To follow an order without missing a change, subscribe first, then load, then apply what the subscription gives.
package orderview

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Order is what the streams say of one order. It is a value: no method changes it.
type Order struct {
	Shop string // the shop's id
	ID   string // the shop's id of the order

	// Placed is the order as it was placed last, with the invoiceId of that time.
	Placed   events.Order
	PlacedAt time.Time // by the broker's clock
	// BuyerKeyHashes are those of all times that it was placed; see events.Order.
	BuyerKeyHashes []string
	// Withdrawn says that the shop has canceled the order as a whole, and has not named another invoiceId for it since.
	Withdrawn bool
	// Seq is that of the order's last event on ORDERS, for bus.PublishOrderAfter; 0 when there is none.
	Seq uint64
	// Tries are the invoices by which the order is or was to be paid, the oldest first. There is at least one.
	Tries []Try

	payBack bool       // Withdrawn, by a cancellation that pays back what is paid
	returns []giveBack // the oldest first
	others  []string   // the invoiceIds that the order was placed under and that name invoices of other orders
}

// giveBack says for which invoice the shop has used a refundId.
type giveBack struct{ refundID, invoiceID string }

// Try is one invoice by which an order is or was to be paid.
type Try struct {
	InvoiceID string
	Order     events.Order // as it was placed first under this invoiceId, or else as the invoice has it
	PlacedAt  time.Time    // by the broker's clock; zero where only the invoice is known
	// Invoice is the invoice after its last event. Its State is "" until one is recorded.
	Invoice events.Invoice
	// CancelAsked says that the shop or the buyer has asked to cancel this try, or the whole order, after it was placed.
	CancelAsked bool

	payBack bool   // one of these cancellations pays back what is paid
	seq     uint64 // of the invoice's last event
}

// Known says whether an event of the invoice is recorded.
func (t Try) Known() bool { return t.Invoice.State != "" }

// Closed says that the buyer cannot pay by this try any more, and has not paid by it: it has ended, or its late payment was paid back.
func (t Try) Closed() bool {
	inv := t.Invoice
	return inv.State.Ended() || inv.Late && inv.State == events.Refunded
}

// paidForGood says that the buyer has paid by this try, in time, and that not all of it was paid back.
func (t Try) paidForGood() bool {
	return t.Invoice.State.Paid() && t.Invoice.State != events.Refunded && !t.Invoice.Late
}

// Current gives the try that says how the order stands: one that is paid, else the newest that can be paid or has no invoice yet,
// else the newest. A late payment, which is paid back by itself, does not count as paid.
func (o Order) Current() Try {
	newest := func(fits func(Try) bool) (Try, bool) {
		for _, t := range slices.Backward(o.Tries) {
			if fits(t) {
				return t, true
			}
		}
		return Try{}, false
	}
	for _, fits := range []func(Try) bool{
		Try.paidForGood,
		func(t Try) bool { return !t.Known() || t.Invoice.State.Open() },
		func(t Try) bool { return t.Invoice.State.Paid() && !t.Invoice.Late },
	} {
		if t, ok := newest(fits); ok {
			return t
		}
	}
	return o.Tries[len(o.Tries)-1]
}

// GoesOn says whether the order is paid, or can still be paid, by another invoice than this one: the end of this one is not the
// order's then.
func (o Order) GoesOn(invoice string) bool {
	return slices.ContainsFunc(o.Tries, func(t Try) bool { return t.InvoiceID != invoice && !t.Closed() })
}

// MaxTries is how many tries at paying one order there may be before no more are begun by the buyer.
const MaxTries = 20

// NextTry gives the order as it is to be placed for another try at paying it; ok is false when there may be none: one of the tries
// is paid or open or not yet ended, the shop has canceled the order, or there were MaxTries. The invoiceId follows from the tries, so
// that placing it twice is the same try. It is none that the order was placed under before.
func (o Order) NextTry() (next events.Order, ok bool) {
	last := o.Tries[len(o.Tries)-1]
	open := slices.ContainsFunc(o.Tries, func(t Try) bool { return !t.Closed() })
	if open || o.Withdrawn || len(o.Tries)+len(o.others) >= MaxTries || last.Order.OrderID == "" {
		return next, false
	}
	next = last.Order
	used := func(id string) bool {
		return slices.Contains(o.others, id) || slices.ContainsFunc(o.Tries, func(t Try) bool { return t.InvoiceID == id })
	}
	n := len(o.Tries) + 1
	for used(fmt.Sprintf("%s-%d", o.ID, n)) {
		n++
	}
	next.InvoiceID = fmt.Sprintf("%s-%d", o.ID, n)
	next.Unknown = ""
	return next, len(next.InvoiceID) <= events.MaxID
}

// Apply gives the order with an invoice as its newest event has it, and whether that says anything new. An invoice of another order
// changes nothing.
func (o Order) Apply(c Change) (Order, bool) {
	inv := c.Invoice
	if events.Token(inv.Shop) != events.Token(o.Shop) || inv.OrderID != o.ID {
		return o, false
	}
	i := slices.IndexFunc(o.Tries, func(t Try) bool { return t.InvoiceID == inv.InvoiceID })
	if i >= 0 && o.Tries[i].seq >= c.Seq {
		return o, false
	}
	o.Tries = slices.Clone(o.Tries)
	if i < 0 {
		o.Tries, i = append(o.Tries, Try{InvoiceID: inv.InvoiceID}), len(o.Tries)
	}
	o.Tries[i] = o.Tries[i].with(inv, c.Seq)
	return o, true
}

// with gives the try with its invoice after an event.
func (t Try) with(inv events.Invoice, seq uint64) Try {
	t.Invoice, t.seq = inv, seq
	if t.Order.OrderID == "" && inv.Order != nil {
		t.Order = *inv.Order
	}
	return t
}

// invoiceID gives the invoiceId that an order was placed under.
func invoiceID(o events.Order) string { return cmp.Or(o.InvoiceID, o.OrderID) }

// Change is an invoice after an event of it. The invoice is shared by all who are told: nobody changes it.
type Change struct {
	Invoice events.Invoice
	Seq     uint64 // of the event on INVOICES
}
