package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// shop is the shop of the order.
func (o order) shop() string {
	if o.Other {
		return otherShop
	}
	return rig.Shop
}

// key is the key of the order's invoice.
func (o order) key() events.Key { return events.KeyOf(o.shop(), o.ID) }

// orderID is the id of the order that the invoice is a try to pay.
func (o order) orderID() string {
	if o.Of != "" {
		return o.Of
	}
	return o.ID
}

// invoiceID is the id that the shop gives the invoice: only another try has one.
func (o order) invoiceID() string {
	if o.Of == "" {
		return ""
	}
	return o.ID
}

// tries draws second tries at paying orders, under an invoiceId of their own.
func (d draws) tries(s *schedule) {
	for _, first := range slices.Clone(s.Orders) {
		if !d.chance(20) || first.Buyer == unpolled {
			continue
		}
		second := d.order(first.ID + "b")
		second.Of, second.Other = first.ID, first.Other
		if d.chance(50) {
			second.Ore = first.Ore
		}
		if d.chance(40) {
			second.Buyer = pays
		}
		for i := range second.Messages {
			m := &second.Messages[i]
			switch m.Name {
			case events.Returned:
				m.RefundID = "b" + m.RefundID // a return is known by its refundId and its order
			case events.OrderCanceled:
				m.Whole = d.chance(50)
			}
		}
		s.Orders = append(s.Orders, second)
	}
}

// orderMessage is an event that a shop published about an order, as ORDERS has it.
type orderMessage struct {
	seq     uint64
	at      time.Time
	invoice events.Key // that it names
	whole   bool       // it names none
}

// orderMessages are the placements and cancellations in ORDERS, by order.
type orderMessages struct{ placed, canceled map[string][]orderMessage }

func (sim *simulation) readOrders(ctx context.Context) (orderMessages, error) {
	all := orderMessages{map[string][]orderMessage{}, map[string][]orderMessage{}}
	_, err := sim.bus.Scan(ctx, bus.Scan{Stream: events.OrdersStream}, func(m bus.Entry) error {
		a, err := events.ParseSubject(m.Subject)
		if err != nil {
			return err
		}
		switch events.OrderName(a.Event) {
		case events.Placed:
			o, err := events.DecodeOrder(m.Message)
			all.placed[a.ID] = append(all.placed[a.ID], orderMessage{m.Seq, m.Time, o.Key(), o.InvoiceID == ""})
			return err
		case events.OrderCanceled:
			c, err := events.DecodeCancellation(m.Message)
			all.canceled[a.ID] = append(all.canceled[a.ID], orderMessage{m.Seq, m.Time, c.Key(), c.InvoiceID == ""})
			return err
		}
		return nil
	})
	return all, err
}

// canceled says whether the shop had canceled the try before that time: by its invoiceId, or with its order.
func (e *evidence) canceled(o order, before time.Time) bool {
	return slices.ContainsFunc(e.orders.canceled[o.orderID()], func(c orderMessage) bool {
		switch {
		case !c.at.Before(before):
			return false
		case !c.whole:
			return c.invoice == o.key()
		case o.Of == "":
			return true
		}
		return slices.ContainsFunc(e.orders.placed[o.Of], func(p orderMessage) bool { return p.invoice == o.key() && p.seq < c.seq })
	})
}

// ever is after everything that a simulation records.
func ever() time.Time { return time.Now().Add(time.Hour) }

// payment is the event by which a try was recorded as paid.
func (e *evidence) payment(o order) (audit.Event, bool) {
	all := e.history.Events[o.key()]
	i := slices.IndexFunc(all, func(x audit.Event) bool { return x.Change.Event == events.EventPaid })
	if i < 0 {
		return audit.Event{}, false
	}
	return all[i], true
}

// checkTries checks that of several paid tries all but the first are refunded, and that nothing is refunded by policy without its reason.
func (e *evidence) checkTries(o order, last events.Invoice) {
	paid, ok := e.payment(o)
	kept, excused := "", false // an earlier payment that was not refunded
	stays := false             // one that was to be refunded may stay paid: the provider has refused a refund of it
	if ok {
		for _, other := range e.schedule.Orders {
			first, ok := e.payment(other)
			if other.orderID() != o.orderID() || other.ID == o.ID || !ok || first.Seq > paid.Seq {
				continue
			}
			excused = excused || !first.Late && !e.canceled(other, paid.Time)
			stays = stays || e.refusedRefunds(other.ID) > 0
			// While all that is left of it is in doubt, the later payment waits for a person.
			if last, _ := e.last(other); last.State != events.Refunded && last.Remaining().Sign() > 0 {
				kept = other.ID
			}
		}
	}
	if _, back := last.Refund(events.RefundSecond); back && !excused && !stays && !e.canceled(o, ever()) {
		e.report("%s: paid back as a second payment, and no other payment of the order was to be kept", o.ID)
	}
	if _, back := last.Refund(events.RefundLate); back && !last.Late {
		e.report("%s: paid back as late, and it was not", o.ID)
	}
	for _, id := range []string{events.RefundCancel, events.RestOf(events.RefundCancel, 1)} {
		if _, back := last.Refund(id); back && !e.canceled(o, ever()) {
			e.report("%s: paid back as canceled (%s), and it was not", o.ID, id)
		}
	}
	if kept != "" && excused && last.Remaining().Sign() > 0 && e.refusedRefunds(o.ID) == 0 {
		e.report("%s: the order was paid before, as %s, and %s was not paid back", o.ID, kept, last.Remaining())
	}
}

func (o order) head() string {
	text := fmt.Sprintf("order %s of %s", o.ID, kronor(o.Ore))
	if o.Of != "" {
		text = fmt.Sprintf("order %s of %s, tried again as %s", o.Of, kronor(o.Ore), o.ID)
	}
	if o.Other {
		text += " at " + otherShop
	}
	if o.ReusesIDs {
		text += ", with the message ids of the others"
	}
	return text
}

// secondPaid says that two tries of one order are to be paid, and no event cancels or returns them.
func (s schedule) secondPaid() bool {
	plain := map[string]int{}
	for _, o := range s.Orders {
		if o.Buyer == pays && len(o.Messages) == 1 && o.has(events.Placed) {
			plain[o.orderID()]++
		}
	}
	for _, n := range plain {
		if n > 1 {
			return true
		}
	}
	return false
}
