package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// outcome is what the shop does with an order after the buyer has paid.
type outcome string

const (
	paid         outcome = "paid"
	returned     outcome = "returned"        // in full
	returnedPart outcome = "returned a part" // twice, of a third each
	canceled     outcome = "canceled when paid"
)

// outcomes of ten orders.
var outcomes = [...]outcome{paid, returned, paid, returnedPart, paid, canceled, paid, paid, paid, paid}

const (
	total = "99.00" // of each order
	third = "33.00"
)

// changeOfMind is how long after the payment an order is returned or canceled.
const changeOfMind = 500 * time.Millisecond

// load places orders at a steady rate. Buyers pay up to nine seconds after they see the QR code, and some orders are returned or canceled then.
type load struct {
	bus      *bus.Bus
	provider *procs.Provider

	mu      sync.Mutex
	acked   map[events.Key]outcome // orders of which the broker said that they are stored
	failed  []error
	pending sync.WaitGroup // what buyers and the shop are still going to do with them
}

// run until ctx ends; each order is published on its own, so that a broker that does not answer delays
// that order alone.
func (l *load) run(ctx context.Context, perSecond int) {
	var publishers sync.WaitGroup
	defer publishers.Wait()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			publishers.Go(func() { l.place(n) })
		}
	}
}

func (l *load) place(n int) {
	o := rig.Order(fmt.Sprint(1000+n), total)
	l.mu.Lock()
	l.acked[o.Key()] = outcomes[n%len(outcomes)]
	l.mu.Unlock()
	l.pending.Add(1)
	if !l.publish(o.Key(), "placed", events.Placed, o) {
		l.mu.Lock()
		delete(l.acked, o.Key())
		l.mu.Unlock()
		l.pending.Done()
	}
}

// publish publishes an order event; false means that it failed, which fails the test.
func (l *load) publish(k events.Key, id string, name events.OrderName, data any) bool {
	err := l.bus.PublishOrder(context.Background(), "/shop", k.Shop, k.Invoice, id+"-"+k.Invoice, name, data)
	if err != nil {
		l.fail(fmt.Errorf("order %s: %s: %w", k, name, err))
	}
	return err == nil
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, err)
}

// onEvent has the buyer of an issued invoice pay some time later.
func (l *load) onEvent(inv events.Invoice) {
	if inv.Change.Event != events.EventIssued {
		return
	}
	k := inv.Key()
	time.AfterFunc(delayOf(inv.InvoiceReference), func() {
		if err := l.provider.Pay(inv.InvoiceReference); err != nil {
			l.fail(fmt.Errorf("the buyer of %s: %w", k, err))
		}
		time.AfterFunc(changeOfMind, func() {
			defer l.pending.Done()
			l.changeMind(k)
		})
	})
}

// changeMind does with a paid order what its outcome says.
func (l *load) changeMind(k events.Key) {
	l.mu.Lock()
	o := l.acked[k]
	l.mu.Unlock()
	switch o {
	case returned:
		l.returnOrder(k, "all", nil)
	case returnedPart:
		part := rig.Amount(third)
		l.returnOrder(k, "one", &part)
		l.returnOrder(k, "two", &part)
	case canceled:
		l.publish(k, "canceled", events.OrderCanceled, events.Cancellation{OrderID: k.Invoice, Shop: k.Shop})
	}
}

func (l *load) returnOrder(k events.Key, refund string, a *events.Amount) {
	l.publish(k, "returned-"+refund, events.Returned, events.Return{OrderID: k.Invoice, Shop: k.Shop, RefundID: refund, Amount: a})
}

// fits says whether an invoice ended as the outcome says. A refund that is in doubt fits no outcome: no broker was restored here.
func (o outcome) fits(inv events.Invoice) bool {
	is := func(s events.State, refunded string) bool {
		return inv.State == s && inv.Refunded.Cmp(rig.Amount(refunded)) == 0
	}
	switch o {
	case returned, canceled:
		return is(events.Refunded, total)
	case returnedPart:
		return is(events.Receipted, "66.00")
	}
	return is(events.Receipted, "0")
}

// delayOf spreads the payments over nine seconds, so that there are open invoices at any moment.
func delayOf(ref string) time.Duration { return time.Duration(ref[len(ref)-1]-'0') * time.Second }

// wait waits until buyers and the shop have done all that they are going to do; false means that ctx ended first.
func (l *load) wait(ctx context.Context) bool {
	done := make(chan struct{})
	go func() { l.pending.Wait(); close(done) }()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *load) result() (acked map[events.Key]outcome, failed error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked, errors.Join(l.failed...)
}
