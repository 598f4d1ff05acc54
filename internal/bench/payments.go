package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// payments has buyers pay at random moments, as many with the notification as without, and gives how
// long it took until a subscriber had the `paid` event of each.
func (r *polling) payments(ctx context.Context) (Payments, error) {
	n := 2 * r.Payments
	if n == 0 {
		return Payments{}, nil
	}
	r.say("%d buyers pay at random moments while %d invoices are open", n, r.placed-r.paid)
	ids, err := r.open(ctx, n)
	if err != nil {
		return Payments{}, err
	}
	if !until(ctx, time.Now().Add(r.Settle)) {
		return Payments{}, ctx.Err()
	}
	t := &tills{begun: map[string]time.Time{}, took: map[string][]time.Duration{}, left: n, receipts: n}
	g, ctx := errgroup.WithContext(ctx)
	ready := make(chan struct{})
	g.Go(func() error {
		filters := []string{"invoices.*.*.paid", "invoices.*.*.receipted"}
		err := r.Bus().Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, Filters: filters}}, func() { close(ready) }, t.take)
		if err == nil && (t.left > 0 || t.receipts > 0) {
			err = fmt.Errorf("%d payments and %d receipts of %d are missing", t.left, t.receipts, n)
		}
		return err
	})
	g.Go(func() error {
		select {
		case <-ready:
			return r.buyers(ctx, t, ids)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err := g.Wait(); err != nil {
		return Payments{}, err
	}
	r.paid += n
	return Payments{quantiles(t.took[hinted]), quantiles(t.took[unhinted])}, nil
}

// buyers pay, each at a moment of their own.
func (r *polling) buyers(ctx context.Context, t *tills, ids []string) error {
	var g errgroup.Group
	begun := time.Now()
	for _, id := range ids {
		g.Go(func() error {
			if !until(ctx, begun.Add(rand.N(time.Duration(len(ids))*paying))) {
				return ctx.Err()
			}
			t.begin(id)
			if err := r.Sandbox().Pay(r.bills.reference(id)); err != nil {
				return fmt.Errorf("the buyer of order %s: %w", id, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// tills are where the payments are timed, from before the provider has written them down.
type tills struct {
	mu       sync.Mutex
	begun    map[string]time.Time       // by order
	took     map[string][]time.Duration // by shop
	left     int                        // payments to come
	receipts int                        // receipts to come
}

func (t *tills) begin(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun[id] = time.Now()
}

// take hears an event of a payment.
func (t *tills) take(e bus.Entry) error {
	now := time.Now()
	a, err := events.ParseSubject(e.Subject)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.Event == string(events.EventPaid) {
		t.took[a.Shop] = append(t.took[a.Shop], now.Sub(t.begun[a.ID]))
		t.left--
	} else {
		t.receipts--
	}
	if t.left == 0 && t.receipts == 0 {
		return bus.ErrStop
	}
	return nil
}
