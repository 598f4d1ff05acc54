package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// fortune is what will happen to an order.
type fortune string

const (
	paid           fortune = "paid"
	returned       fortune = "returned"        // in full
	returnedPart   fortune = "returned a part" // twice, of a third each
	canceledUnpaid fortune = "canceled unpaid"
	canceledPaid   fortune = "canceled when paid"
	canceledPaying fortune = "canceled while the buyer pays"
)

// fortunes in the order of their shares, of twenty.
var fortunes = [...]fortune{
	paid, paid, paid, paid, paid, paid, paid, paid, paid, paid, paid, paid,
	returned, returned, returnedPart, returnedPart, returnedPart, canceledUnpaid, canceledPaid, canceledPaying,
}

const (
	total = 30 // each order's total, in crowns; a third of it is a whole number
	// regret is how long after paying a buyer or the shop changes its mind.
	regret = time.Second
)

// world is the shop and its buyers.
type world struct {
	t        testing.TB
	ctx      context.Context
	bus      *bus.Bus
	provider *procs.Provider
	until    time.Time // buyers pay at any time before
	orders   map[events.Key]fortune

	mu      sync.Mutex
	rng     *rand.Rand
	seen    map[events.Key]bool
	pending sync.WaitGroup // what buyers and the shop are still going to do
}

func newWorld(t testing.TB, ctx context.Context, b *bus.Bus, p *procs.Provider, n int, span time.Duration, seed uint64) *world {
	w := &world{t: t, ctx: ctx, bus: b, provider: p, until: time.Now().Add(span), rng: rand.New(rand.NewPCG(seed, 1)),
		orders: map[events.Key]fortune{}, seen: map[events.Key]bool{}}
	for i := range n {
		w.orders[events.KeyOf(rig.Shop, fmt.Sprint(1000+i))] = fortunes[i%len(fortunes)]
	}
	w.pending.Add(n)
	return w
}

// place every order, many at a time.
func (w *world) place() {
	queue := make(chan events.Key)
	var shops sync.WaitGroup
	for range 16 {
		shops.Go(func() {
			for k := range queue {
				w.say(k, events.Placed, rig.Order(k.Invoice, amount(total).String()))
			}
		})
	}
	for k := range w.orders {
		queue <- k
	}
	close(queue)
	shops.Wait()
}

// amount of whole crowns.
func amount(crowns int) events.Amount { return rig.Amount(fmt.Sprint(crowns, ".00")) }

// say publishes what a shop has to say; a broker that is down is waited for.
func (w *world) say(k events.Key, name events.OrderName, data any) {
	id := fmt.Sprintf("%s-%s-%d", k.Invoice, name, w.random(1<<40))
	if err := w.bus.PublishOrder(w.ctx, "/shop", k.Shop, k.Invoice, id, name, data); err != nil {
		w.t.Errorf("%s %s: %v", k, name, err)
	}
}

func (w *world) random(n int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.Int64N(n)
}

// see is told of every event. A buyer who sees the QR code pays some time later.
func (w *world) see(inv events.Invoice) {
	if inv.Change.Event != events.EventIssued {
		return
	}
	w.mu.Lock()
	again := w.seen[inv.Key()]
	w.seen[inv.Key()] = true
	w.mu.Unlock()
	if again {
		w.t.Errorf("%s was issued twice", inv.Key())
		return
	}
	ponders := max(time.Until(w.until), 2*regret)
	time.AfterFunc(time.Duration(w.random(int64(ponders))), func() {
		defer w.pending.Done()
		w.live(inv.Key(), inv.InvoiceReference)
	})
}

// live is the rest of an order's life after the buyer's pondering.
func (w *world) live(k events.Key, ref string) {
	cancel := func() { w.say(k, events.OrderCanceled, events.Cancellation{OrderID: k.Invoice, Shop: k.Shop}) }
	switch w.orders[k] {
	case canceledUnpaid:
		cancel()
		return
	case canceledPaying:
		var both sync.WaitGroup
		both.Go(cancel)
		both.Go(func() { _ = w.provider.Pay(ref) }) // whoever is second is refused
		both.Wait()
		return
	}
	if err := w.provider.Pay(ref); err != nil {
		w.t.Errorf("the buyer of %s: %v", k, err)
	}
	w.pending.Add(1)
	time.AfterFunc(regret, func() {
		defer w.pending.Done()
		switch w.orders[k] {
		case returned:
			w.giveBack(k, "all", nil)
		case returnedPart:
			third := amount(total / 3)
			w.giveBack(k, "one", &third)
			w.giveBack(k, "two", &third)
		case canceledPaid:
			cancel()
		}
	})
}

func (w *world) giveBack(k events.Key, refund string, a *events.Amount) {
	w.say(k, events.Returned, events.Return{OrderID: k.Invoice, Shop: k.Shop, RefundID: refund, Amount: a})
}

// ended says what is wrong with how an order ended, or "".
func ended(f fortune, inv events.Invoice) string {
	doubt := events.Amount{}
	for _, r := range inv.Refunds {
		if r.Status == events.RefundUnknown {
			doubt = doubt.Add(r.Amount)
		}
	}
	back := inv.Refunded.Add(doubt)
	is := func(s events.State, crowns int) bool { return inv.State == s && back.Cmp(amount(crowns)) == 0 }
	good := false
	switch f {
	case paid:
		good = is(events.Receipted, 0)
	case returned, canceledPaid:
		good = is(events.Refunded, total)
	case returnedPart:
		good = is(events.Receipted, total/3*2)
	case canceledUnpaid:
		good = is(events.Canceled, 0)
	case canceledPaying:
		good = is(events.Canceled, 0) || is(events.Refunded, total)
	}
	if good {
		return ""
	}
	return fmt.Sprintf("%s is %s with %s paid back", f, inv.State, back)
}
