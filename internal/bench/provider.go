package bench

import (
	"context"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// watched is the provider as the poller sees it, with a note of when each invoice's status was last
// answered. It times what really went over the wire, apart from what the poller says of itself.
type watched struct {
	poller.Provider
	latency time.Duration // more than its own

	mu    sync.Mutex
	last  map[string]time.Time // by reference
	first map[string]time.Time // when each was answered about for the first time
	polls int
	gap   time.Duration // the longest between two answers about one invoice
	more  chan struct{} // closed when another invoice was answered about for the first time
}

func watch(p poller.Provider, latency time.Duration) *watched {
	return &watched{Provider: p, latency: latency, last: map[string]time.Time{}, first: map[string]time.Time{}, more: make(chan struct{})}
}

// GetPaymentStatus asks, and notes the answer.
func (w *watched) GetPaymentStatus(ctx context.Context, q seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	if w.latency > 0 && !until(ctx, time.Now().Add(w.latency)) {
		return seqr.PaymentStatus{}, ctx.Err()
	}
	st, err := w.Provider.GetPaymentStatus(ctx, q)
	if err == nil {
		w.answered(q.InvoiceReference, st.Status == seqr.StatusIssued)
	}
	return st, err
}

func (w *watched) answered(reference string, open bool) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polls++
	before, known := w.last[reference]
	if known {
		w.gap = max(w.gap, now.Sub(before))
	}
	if w.last[reference] = now; !open {
		delete(w.last, reference)
	}
	if !known && open {
		w.first[reference] = now
		close(w.more)
		w.more = make(chan struct{})
	}
}

// held waits until so many open invoices have been answered about.
func (w *watched) held(ctx context.Context, n int) error {
	for {
		w.mu.Lock()
		now, more := len(w.last), w.more
		w.mu.Unlock()
		if now >= n {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// firstAnswer is when the invoice was answered about for the first time.
func (w *watched) firstAnswer(reference string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first[reference]
}

// start counts from now on.
func (w *watched) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for reference := range w.last {
		w.last[reference] = now
	}
	w.polls, w.gap = 0, 0
}

// stop gives the answers since start and the longest time that an invoice went without one, up to now.
func (w *watched) stop() (polls int, gap time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	gap = w.gap
	for _, at := range w.last {
		gap = max(gap, now.Sub(at))
	}
	return w.polls, gap
}
