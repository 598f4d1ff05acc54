package procs

import (
	"context"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Follow INVOICES until the test ends, whatever becomes of the brokers. each is told of every event, in
// order, and must not block.
func Follow(t testing.TB, b *bus.Bus, each func(events.Invoice)) *History {
	t.Helper()
	h := newHistory()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := b.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, All: true}}, nil, func(e bus.Entry) error {
			if inv, ok := h.take(e, e.Time); ok {
				each(inv)
			}
			return nil
		})
		if err != nil {
			t.Errorf("onlooker: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return h
}
