package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// payments has buyers pay at random moments, as many with the notification as without, and gives how
// long it took until a subscriber had the `paid` event of each. It waits for the receipts too.
func (r *poll) payments(ctx context.Context) (Payments, error) {
	n := 2 * r.Payments
	if n == 0 {
		return Payments{}, nil
	}
	r.say("%d buyers pay at random moments while %d invoices are open", n, r.placed-r.paid)
	ids, err := r.open(ctx, n)
	if err != nil {
		return Payments{}, err
	}
	if err := waitFor(ctx, r.Settle); err != nil {
		return Payments{}, err
	}
	t := &timer{begun: map[string]time.Time{}, took: map[string][]time.Duration{}, payments: n, receipts: n}
	err = r.follow(ctx, []events.Name{events.EventPaid, events.EventReceipted}, t.onEvent, func(ctx context.Context) error {
		begun := time.Now()
		return each(ctx, n, n, func(ctx context.Context, i int) error {
			if err := waitUntil(ctx, begun.Add(rand.N(time.Duration(n)*paying))); err != nil {
				return err
			}
			t.begin(ids[i])
			return r.pay(ids[i])
		})
	})
	if err == nil && (t.payments > 0 || t.receipts > 0) {
		err = fmt.Errorf("%d payments and %d receipts of %d are missing", t.payments, t.receipts, n)
	}
	if err != nil {
		return Payments{}, err
	}
	r.paid += n
	return Payments{quantiles(t.took[hinted]), quantiles(t.took[unhinted])}, nil
}

// timer times payments, from before the provider has stored them. It is safe for concurrent use.
type timer struct {
	mu       sync.Mutex
	begun    map[string]time.Time       // by order
	took     map[string][]time.Duration // by shop
	payments int                        // to come
	receipts int                        // to come
}

func (t *timer) begin(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun[id] = time.Now()
}

func (t *timer) onEvent(a events.Address) error {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.Event == string(events.EventPaid) {
		t.took[a.Shop] = append(t.took[a.Shop], now.Sub(t.begun[a.ID]))
		t.payments--
	} else {
		t.receipts--
	}
	if t.payments == 0 && t.receipts == 0 {
		return bus.ErrStop
	}
	return nil
}
