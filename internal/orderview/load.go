package orderview

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrUnknown says that no order of that shop and id was placed, or that none of its events can be read.
var ErrUnknown = errors.New("there is no such order")

// Load reads an order. allow is asked, before any invoice is read, whether the caller may know of this order: when it says no, the
// error is ErrUnknown. A nil allow always says yes.
//
// It makes about four requests to the broker, one for each further try, and one for each event of this order beyond a few; the
// length of the streams does not matter. Any other error than ErrUnknown says that the broker did not answer, or has an event of a
// newer version.
func Load(ctx context.Context, b *bus.Bus, k events.OrderKey, allow func(Order) bool) (Order, error) {
	messages, err := b.OrderHistory(ctx, k)
	if err != nil {
		return Order{}, err
	}
	var o Order
	for _, m := range messages {
		o = o.read(m)
	}
	if len(o.Tries) == 0 || allow != nil && !allow(o) {
		return Order{}, ErrUnknown
	}
	return o.loadInvoices(ctx, b)
}

// read gives the order after one event of it. Events that can't be read say nothing; the workers have parked them.
func (o Order) read(m bus.Entry) Order {
	o.Seq = m.Seq
	a, err := m.Address()
	if err != nil {
		return o
	}
	switch events.OrderName(a.Event) {
	case events.Placed:
		if placed, err := events.DecodeOrder(m.Message); err == nil {
			o = o.place(placed, m)
		}
	case events.OrderCanceled:
		if c, err := events.DecodeCancellation(m.Message); err == nil {
			o = o.cancel(c)
		}
	case events.Returned:
		if r, err := events.DecodeReturn(m.Message); err == nil {
			o.returns = append(o.returns, giveBack{r.RefundID, cmp.Or(r.InvoiceID, r.OrderID)})
		}
	}
	return o
}

func (o Order) place(placed events.Order, m bus.Entry) Order {
	o.Shop, o.ID, o.Placed, o.PlacedAt = placed.Shop, placed.OrderID, placed, m.Time
	if h := placed.BuyerKeyHash; h != "" && !slices.Contains(o.BuyerKeyHashes, h) {
		o.BuyerKeyHashes = append(o.BuyerKeyHashes, h)
	}
	id := invoiceID(placed)
	if slices.ContainsFunc(o.Tries, func(t Try) bool { return t.InvoiceID == id }) {
		return o
	}
	// Another invoiceId is a new wish of the shop. The order's own is not: a shop's system may repeat it hours later, and a
	// cancellation may have come first.
	o.Withdrawn, o.payBack = o.Withdrawn && id == o.ID, o.payBack && id == o.ID
	o.Tries = append(o.Tries, Try{InvoiceID: id, Order: placed, PlacedAt: m.Time, CancelAsked: o.Withdrawn, payBack: o.payBack})
	return o
}

func (o Order) cancel(c events.Cancellation) Order {
	whole := c.InvoiceID == ""
	o.Withdrawn, o.payBack = o.Withdrawn || whole, o.payBack || whole && !c.KeepPaid
	for i := range o.Tries {
		if t := &o.Tries[i]; whole || c.InvoiceID == t.InvoiceID {
			t.CancelAsked, t.payBack = true, t.payBack || !c.KeepPaid
		}
	}
	return o
}

// loadInvoices reads the invoice of each try. A try whose invoiceId names an invoice of another order is none: the invoicer has
// parked it.
func (o Order) loadInvoices(ctx context.Context, b *bus.Bus) (Order, error) {
	var tries []Try
	for _, t := range o.Tries {
		l, err := b.Load(ctx, events.KeyOf(o.Shop, t.InvoiceID))
		switch {
		case err != nil:
			return Order{}, err
		case !l.Known():
			tries = append(tries, t)
		case l.OrderID == o.ID:
			tries = append(tries, t.with(l.Invoice, l.Seq))
		default:
			o.others = append(o.others, t.InvoiceID)
		}
	}
	if o.Tries = tries; len(tries) == 0 {
		return Order{}, ErrUnknown
	}
	return o, nil
}

// NameTry gives the return with the invoiceId of the try that it is about, where the shop has not named one and that try is not the
// order's first: the buyer may have begun another. A return of an order that is not known stays as it is.
//
// It is the try that counts; of several that are paid, the one whose payment is kept. A refundId that was used before stays with the
// try that it was used for, since shops' systems repeat themselves: else the repetition would pay back the payment of another try. It
// does not stay with one that has ended unpaid, where the return came to nothing.
func NameTry(ctx context.Context, b *bus.Bus, r events.Return) (events.Return, error) {
	if r.InvoiceID != "" {
		return r, nil
	}
	o, err := Load(ctx, b, events.OrderKeyOf(r.Shop, r.OrderID), nil)
	if errors.Is(err, ErrUnknown) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	t, ok := o.returnedBefore(r.RefundID)
	if !ok {
		t, err = o.kept(ctx, b)
	}
	if err != nil {
		return r, err
	}
	if t.InvoiceID != o.ID {
		r.InvoiceID = t.InvoiceID
	}
	return r, nil
}

// kept gives the try that counts. Of several that are paid it is the one that was paid first, unless a cancellation pays that back: the
// refunder pays the others back by itself, and what a return asks for of one of them would be a part of that.
func (o Order) kept(ctx context.Context, b *bus.Bus) (Try, error) {
	all := slices.DeleteFunc(slices.Clone(o.Tries), func(t Try) bool { return !t.paidForGood() })
	if len(all) < 2 {
		return o.Current(), nil
	}
	if left := slices.DeleteFunc(slices.Clone(all), func(t Try) bool { return t.payBack }); len(left) > 0 {
		all = left
	}
	first, least := Try{}, uint64(math.MaxUint64)
	for _, t := range all {
		seq, err := b.LastEventSeq(ctx, events.KeyOf(o.Shop, t.InvoiceID), events.EventPaid)
		if err != nil {
			return Try{}, err
		}
		if seq < least {
			first, least = t, seq
		}
	}
	return first, nil
}

// returnedBefore gives the try that the shop has used the refundId for.
func (o Order) returnedBefore(refundID string) (Try, bool) {
	for _, back := range o.returns {
		if back.refundID != refundID {
			continue
		}
		for _, t := range o.Tries {
			if _, recorded := t.Invoice.Refund(refundID); t.InvoiceID == back.invoiceID && (recorded || !t.Closed()) {
				return t, true
			}
		}
	}
	return Try{}, false
}
