package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// followInvoices calls onEvent with every event until stop is called.
func (sim *simulation) followInvoices(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var following sync.WaitGroup
	following.Go(func() {
		for {
			err := sim.bus.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, All: true}}, nil, sim.onEvent)
			if err == nil {
				return
			}
			if sim.logf("watching: %v", err); !pause(ctx, lookEvery) { // on a busy machine the broker may be late
				return
			}
		}
	})
	return func() { cancel(); following.Wait() }
}

// onEvent traces the event and closes its signal.
func (sim *simulation) onEvent(m bus.Entry) error {
	inv, _, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
	if err != nil {
		sim.logf("%s: %v", m.Subject, err) // a foreign message; the check reads everything again
		return nil
	}
	c := inv.Change
	sim.logf("%s: %s by %s: %s → %s (%s) %s", inv.InvoiceID, c.Event, c.By, c.From, inv.State, c.Why, c.RefundID)
	if c.Event == events.EventIssued {
		sim.noteIssued(inv.InvoiceID, inv.InvoiceReference)
	}
	sim.closeOnce(sim.signal(inv.InvoiceID, c.Event))
	return nil
}

// noteIssued notes the reference of an invoice, about which no poller has asked yet.
func (sim *simulation) noteIssued(id, ref string) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	if _, known := sim.polled[ref]; !known {
		sim.polled[ref] = 0
	}
	if sim.references[id] == "" {
		sim.references[id] = ref
	}
}

func (sim *simulation) reference(id string) string {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return sim.references[id]
}

// publish publishes an order event in its time.
func (sim *simulation) publish(ctx context.Context, o order, m message) {
	if m.After != "" {
		select {
		case <-sim.signal(o.ID, m.After):
		case <-sim.finishing:
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
		sim.logf("the shop publishes: %s %s", o.ID, m)
		publish := func(id string) error {
			return sim.bus.PublishOrder(ctx, "/chaos", o.shop(), o.orderID(), id, m.Name, sim.body(o, m))
		}
		var err error
		if o.ReusesIDs {
			err = sim.publishUsedID(ctx, publish)
		} else {
			err = publish(fmt.Sprintf("%s-%s%s-%d", o.ID, m.Name, m.RefundID, i))
		}
		if err != nil {
			sim.failf("publishing: %v", err)
		}
	}
	if m.Name == events.OrderCanceled {
		sim.signalCanceled(o, m)
	}
}

// signalCanceled signals the buyers of what was canceled: of one try, or of the whole order.
func (sim *simulation) signalCanceled(o order, m message) {
	for _, other := range sim.schedule.Orders {
		if other.ID == o.ID || other.orderID() == o.orderID() && (m.Whole || o.Of == "") {
			sim.closeOnce(sim.signal(other.ID, cancelPublished))
		}
	}
}

// closeOnce closes a signal that may be closed already.
func (sim *simulation) closeOnce(ch chan struct{}) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	select {
	case <-ch:
	default:
		close(ch)
	}
}

// cancelPublished is the signal that a cancellation was published.
const cancelPublished events.Name = "cancellation published"

func (sim *simulation) body(o order, m message) any {
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

// buy does what the buyer of one order does once the invoice is issued.
func (sim *simulation) buy(ctx context.Context, o order) {
	if !sim.waitForEvent(ctx, o.ID, events.EventIssued) {
		return
	}
	ref := sim.reference(o.ID)
	act := func(what string, do func(string) error) {
		sim.clock.Lock()
		err := do(ref)
		sim.clock.Unlock()
		sim.logf("the buyer of %s %s: %s", o.ID, what, outcome(err))
	}
	switch o.Buyer {
	case pays:
		act("pays", sim.sandbox.Pay)
	case declines:
		act("declines", sim.sandbox.Decline)
	case late:
		if sim.waitForEvent(ctx, o.ID, events.EventOverdue) {
			act("pays late", sim.sandbox.Pay)
		}
	case hesitates:
		act("opens the PIN dialog", sim.sandbox.Confirm)
		pause(ctx, 60*time.Millisecond)
		act("pays", sim.sandbox.Pay)
	case withdraws:
		act("opens the PIN dialog", sim.sandbox.Confirm)
	case onCancel:
		if sim.waitForEvent(ctx, o.ID, cancelPublished) {
			act("pays", sim.sandbox.Pay)
		}
	case afterwards:
		if sim.waitForEvent(ctx, o.ID, events.EventCanceled) {
			act("pays the canceled invoice", sim.sandbox.Pay)
		}
	case unpolled:
		sim.pausePollers(ctx, func() { act("pays", sim.sandbox.Pay) })
	}
}

// waitForEvent waits for an event of an invoice. It gives false when the end comes first.
func (sim *simulation) waitForEvent(ctx context.Context, id string, e events.Name) bool {
	select {
	case <-sim.signal(id, e):
		return true
	case <-ctx.Done():
		return false
	case <-sim.finishing:
		return sim.happened(id, e)
	}
}

func (sim *simulation) happened(id string, e events.Name) bool {
	select {
	case <-sim.signal(id, e):
		return true
	default:
		return false
	}
}

// pausePollers stops all pollers, and has a payment be reversed before they start again.
func (sim *simulation) pausePollers(ctx context.Context, pay func()) {
	start := make(chan struct{})
	sim.mu.Lock()
	sim.pollersStart = start
	close(sim.pollersStop)
	sim.mu.Unlock()
	sim.logf("all pollers stop")
	pause(ctx, 30*time.Millisecond)
	pay()
	sim.clock.Lock()
	sim.sandbox.Advance(25 * time.Second)
	sim.clock.Unlock()
	sim.mu.Lock()
	sim.pollersStop, sim.pollersStart = make(chan struct{}), nil
	sim.mu.Unlock()
	close(start)
	sim.logf("the pollers start again, 25 s later")
}
