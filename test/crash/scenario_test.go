package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// outcome is what the buyer and the shop do with an order.
type outcome string

const (
	paid           outcome = "paid"
	returned       outcome = "returned"        // in full
	returnedPart   outcome = "returned a part" // twice, of a third each
	canceledUnpaid outcome = "canceled unpaid"
	canceledPaid   outcome = "canceled when paid"
	canceledPaying outcome = "canceled while the buyer pays"
)

// outcomes of twenty orders.
var outcomes = [...]outcome{
	paid, paid, paid, paid, paid, paid, paid, paid, paid, paid, paid, paid,
	returned, returned, returnedPart, returnedPart, returnedPart, canceledUnpaid, canceledPaid, canceledPaying,
}

const (
	total = 30 // each order's total, in crowns; a third of it is a whole number
	// changeOfMind is how long after the payment an order is returned or canceled.
	changeOfMind = time.Second
)

// scenario plays the shop and its buyers.
type scenario struct {
	t        testing.TB
	ctx      context.Context
	bus      *bus.Bus
	provider *procs.Provider
	until    time.Time // buyers pay at any time before
	orders   map[events.Key]outcome

	mu      sync.Mutex
	rng     *rand.Rand
	issued  map[events.Key]bool
	pending sync.WaitGroup // what buyers and the shop are still going to do
}

func newScenario(t testing.TB, ctx context.Context, b *bus.Bus, p *procs.Provider, n int, span time.Duration, seed uint64) *scenario {
	s := &scenario{t: t, ctx: ctx, bus: b, provider: p, until: time.Now().Add(span), rng: rand.New(rand.NewPCG(seed, 1)),
		orders: map[events.Key]outcome{}, issued: map[events.Key]bool{}}
	for i := range n {
		s.orders[events.KeyOf(rig.Shop, fmt.Sprint(1000+i))] = outcomes[i%len(outcomes)]
	}
	s.pending.Add(n)
	return s
}

// placeAll places every order, many at a time.
func (s *scenario) placeAll() {
	queue := make(chan events.Key)
	var publishers sync.WaitGroup
	for range 16 {
		publishers.Go(func() {
			for k := range queue {
				s.publish(k, events.Placed, rig.Order(k.Invoice, crowns(total).String()))
			}
		})
	}
	for k := range s.orders {
		queue <- k
	}
	close(queue)
	publishers.Wait()
}

func crowns(n int) events.Amount { return rig.Amount(fmt.Sprint(n, ".00")) }

// publish publishes an order event; a broker that is down is waited for.
func (s *scenario) publish(k events.Key, name events.OrderName, data any) {
	id := fmt.Sprintf("%s-%s-%d", k.Invoice, name, s.random(1<<40))
	if err := s.bus.PublishOrder(s.ctx, "/shop", k.Shop, k.Invoice, id, name, data); err != nil {
		s.t.Errorf("%s %s: %v", k, name, err)
	}
}

func (s *scenario) random(n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Int64N(n)
}

// onEvent has the buyer of an issued invoice act some time later.
func (s *scenario) onEvent(inv events.Invoice) {
	if inv.Change.Event != events.EventIssued {
		return
	}
	s.mu.Lock()
	again := s.issued[inv.Key()]
	s.issued[inv.Key()] = true
	s.mu.Unlock()
	if again {
		s.t.Errorf("%s was issued twice", inv.Key())
		return
	}
	longest := max(time.Until(s.until), 2*changeOfMind)
	time.AfterFunc(time.Duration(s.random(int64(longest))), func() {
		defer s.pending.Done()
		s.act(inv.Key(), inv.InvoiceReference)
	})
}

// act does with the order what its outcome says.
func (s *scenario) act(k events.Key, reference string) {
	cancel := func() { s.publish(k, events.OrderCanceled, events.Cancellation{OrderID: k.Invoice, Shop: k.Shop}) }
	switch s.orders[k] {
	case canceledUnpaid:
		cancel()
		return
	case canceledPaying:
		var both sync.WaitGroup
		both.Go(cancel)
		both.Go(func() { _ = s.provider.Pay(reference) }) // refused when the cancellation was first
		both.Wait()
		return
	}
	if err := s.provider.Pay(reference); err != nil {
		s.t.Errorf("the buyer of %s: %v", k, err)
	}
	s.pending.Add(1)
	time.AfterFunc(changeOfMind, func() {
		defer s.pending.Done()
		switch s.orders[k] {
		case returned:
			s.returnOrder(k, "all", nil)
		case returnedPart:
			third := crowns(total / 3)
			s.returnOrder(k, "one", &third)
			s.returnOrder(k, "two", &third)
		case canceledPaid:
			cancel()
		}
	})
}

func (s *scenario) returnOrder(k events.Key, refund string, a *events.Amount) {
	s.publish(k, events.Returned, events.Return{OrderID: k.Invoice, Shop: k.Shop, RefundID: refund, Amount: a})
}

// checkOutcomes checks that every order ended as its outcome says, and that there is no other invoice.
func (s *scenario) checkOutcomes(h *audit.History) {
	s.t.Helper()
	last := h.Last()
	for k, o := range s.orders {
		if !o.fits(last[k]) {
			s.t.Errorf("%s: %s is %s with %s refunded and the refunds %+v", k, o, last[k].State, last[k].Refunded, last[k].Refunds)
		}
	}
	if len(last) != len(s.orders) {
		s.t.Errorf("%d invoices for %d orders", len(last), len(s.orders))
	}
}

// fits says whether an invoice ended as the outcome says. A refund of which it is unknown whether it was made counts as made.
func (o outcome) fits(inv events.Invoice) bool {
	refunded := inv.Refunded
	for _, r := range inv.Refunds {
		if r.Status == events.RefundUnknown {
			refunded = refunded.Add(r.Amount)
		}
	}
	is := func(s events.State, n int) bool { return inv.State == s && refunded.Cmp(crowns(n)) == 0 }
	switch o {
	case paid:
		return is(events.Receipted, 0)
	case returned, canceledPaid:
		return is(events.Refunded, total)
	case returnedPart:
		return is(events.Receipted, total/3*2)
	case canceledUnpaid:
		return is(events.Canceled, 0)
	default:
		return is(events.Canceled, 0) || is(events.Refunded, total)
	}
}
