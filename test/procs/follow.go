package procs

import (
	"context"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Follower counts the events of INVOICES as they come. It is safe for concurrent use.
type Follower struct {
	mu     sync.Mutex
	counts map[events.Name]int
	all    int
	last   bus.Entry
	gap    audit.Gap
	news   chan struct{} // closed when there is another event
}

// Follow follows INVOICES from its beginning until the test ends, also while brokers are down. It calls each with every event,
// in order; each must not block.
func Follow(t testing.TB, b *bus.Bus, each func(events.Invoice)) *Follower {
	t.Helper()
	f := &Follower{counts: map[events.Name]int{}, news: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := b.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, All: true}}, nil, func(e bus.Entry) error {
			inv, err := events.DecodeInvoice(e.Body)
			if err != nil {
				return err
			}
			f.count(e, inv)
			each(inv)
			return nil
		})
		if err != nil {
			t.Errorf("following INVOICES: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

func (f *Follower) count(e bus.Entry, inv events.Invoice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if gap := e.Time.Sub(f.last.Time); f.last.Seq > 0 && gap > f.gap.Length {
		f.gap = audit.Gap{Reference: inv.Key().String(), From: f.last.Time, Length: gap}
	}
	f.last = e
	f.all++
	f.counts[inv.Change.Event]++
	close(f.news)
	f.news = make(chan struct{})
}

// Events is how many events there were.
func (f *Follower) Events() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}

// Count is how many events of that name there were.
func (f *Follower) Count(e events.Name) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[e]
}

// LongestGap is the longest time between two events, by the broker's clock.
func (f *Follower) LongestGap() audit.Gap {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gap
}

// Wait waits until enough is true. It calls enough now and after every event.
func (f *Follower) Wait(ctx context.Context, enough func() bool) error {
	for {
		f.mu.Lock()
		news := f.news
		f.mu.Unlock()
		if enough() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
