package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// watch writes down every event of the shop's invoices, and wakes whoever waits for it.
func (w *world) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var following sync.WaitGroup
	following.Go(func() {
		if err := w.hub.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, All: true}}, nil, w.see); err != nil {
			w.fault("watching: %v", err)
		}
	})
	return func() { cancel(); following.Wait() }
}

func (w *world) see(m bus.Entry) error {
	inv, _, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
	if err != nil {
		w.note("%s: %v", m.Subject, err) // a stranger's; the checker reads everything again
		return nil
	}
	c := inv.Change
	w.note("%s: %s by %s: %s → %s (%s) %s", inv.InvoiceID, c.Event, c.By, c.From, inv.State, c.Why, c.RefundID)
	if c.Event == events.EventIssued {
		w.shown(inv.InvoiceID, inv.InvoiceReference)
	}
	w.give(w.signal(inv.InvoiceID, c.Event))
	return nil
}

// shown notes the bill that the buyer of an order is shown, which no poller has asked about yet.
func (w *world) shown(id, ref string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.polled[ref]; !known {
		w.polled[ref] = 0
	}
	if w.bills[id] == "" {
		w.bills[id] = ref
	}
}

func (w *world) reference(id string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bills[id]
}

// say what the shop has to say, in its time.
func (w *world) say(ctx context.Context, o order, m message) {
	if m.After != "" {
		select {
		case <-w.signal(o.ID, m.After):
		case <-w.flush:
		case <-ctx.Done():
			return
		}
	}
	if !pause(ctx, m.Delay) {
		return
	}
	times := 1
	if m.Twice {
		times = 2
	}
	for i := range times {
		w.note("the shop says: %s %s", o.ID, m)
		publish := func(id string) error {
			return w.hub.PublishOrder(ctx, "/chaos", o.shop(), o.orderID(), id, m.Name, w.body(o, m))
		}
		var err error
		if o.Borrows {
			err = w.borrow(ctx, publish)
		} else {
			err = publish(fmt.Sprintf("%s-%s%s-%d", o.ID, m.Name, m.RefundID, i))
		}
		if err != nil {
			w.fault("publishing: %v", err)
		}
	}
	if m.Name == events.OrderCanceled {
		w.tellCanceled(o, m)
	}
}

// tellCanceled gives the signal to the buyers of what was canceled: of one try, or of the whole order.
func (w *world) tellCanceled(o order, m message) {
	for _, other := range w.schedule.Orders {
		if other.ID == o.ID || other.orderID() == o.orderID() && (m.Whole || o.Of == "") {
			w.give(w.signal(other.ID, asked))
		}
	}
}

// give a signal, once.
func (w *world) give(ch chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-ch:
	default:
		close(ch)
	}
}

// asked is the signal that a cancellation was published.
const asked events.Name = "cancellation published"

func (w *world) body(o order, m message) any {
	switch m.Name {
	case events.Placed:
		total := ore(o.Ore)
		return events.Order{OrderID: o.orderID(), InvoiceID: o.invoiceID(), Shop: o.shop(), Currency: "SEK", Total: total,
			Rows: []events.Row{{Description: "Kaffe", Quantity: ore(100).Decimal(), Total: total}}}
	case events.OrderCanceled:
		c := events.Cancellation{OrderID: o.orderID(), Shop: o.shop()}
		if !m.Whole {
			c.InvoiceID = o.invoiceID()
		}
		return c
	default:
		r := events.Return{OrderID: o.orderID(), InvoiceID: o.invoiceID(), Shop: o.shop(), RefundID: m.RefundID}
		if m.Ore > 0 {
			a := ore(m.Ore)
			r.Amount = &a
		}
		return r
	}
}

func ore(n int) events.Amount {
	a, err := events.ParseAmount(kronor(n))
	if err != nil {
		panic(err)
	}
	return a
}

// buy is the buyer of one order, who waits for the QR code and then for what the buyer waits for.
func (w *world) buy(ctx context.Context, o order) {
	if !w.await(ctx, o.ID, events.EventIssued) {
		return
	}
	ref := w.reference(o.ID)
	act := func(what string, do func(string) error) {
		w.money.Lock()
		err := do(ref)
		w.money.Unlock()
		w.note("the buyer of %s %s: %s", o.ID, what, outcome(err))
	}
	switch o.Buyer {
	case pays:
		act("pays", w.sandbox.Pay)
	case declines:
		act("declines", w.sandbox.Decline)
	case late:
		if w.await(ctx, o.ID, events.EventOverdue) {
			act("pays late", w.sandbox.Pay)
		}
	case hesitates:
		act("opens the PIN dialog", w.sandbox.Confirm)
		pause(ctx, 60*time.Millisecond)
		act("pays", w.sandbox.Pay)
	case withdraws:
		act("opens the PIN dialog", w.sandbox.Confirm)
	case onCancel:
		if w.await(ctx, o.ID, asked) {
			act("pays", w.sandbox.Pay)
		}
	case afterwards:
		if w.await(ctx, o.ID, events.EventCanceled) {
			act("pays the canceled invoice", w.sandbox.Pay)
		}
	case neglected:
		w.neglect(ctx, func() { act("pays", w.sandbox.Pay) })
	}
}

// await an event, unless the end comes first.
func (w *world) await(ctx context.Context, id string, e events.Name) bool {
	select {
	case <-w.signal(id, e):
		return true
	case <-ctx.Done():
		return false
	case <-w.flush:
		return w.already(id, e)
	}
}

func (w *world) already(id string, e events.Name) bool {
	select {
	case <-w.signal(id, e):
		return true
	default:
		return false
	}
}

// neglect sends all pollers away, and lets a payment be reversed before they are back.
func (w *world) neglect(ctx context.Context, pay func()) {
	back := make(chan struct{})
	w.mu.Lock()
	w.back = back
	close(w.gone)
	w.mu.Unlock()
	w.note("all pollers are gone")
	pause(ctx, 30*time.Millisecond)
	pay()
	w.money.Lock()
	w.sandbox.Advance(25 * time.Second)
	w.money.Unlock()
	w.mu.Lock()
	w.gone, w.back = make(chan struct{}), nil
	w.mu.Unlock()
	close(back)
	w.note("the pollers are back, 25 s later")
}
