package rig

import (
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Record appends the events of an invoice one after another, each as a worker that may.
func Record(t testing.TB, b *bus.Bus, k events.Key, steps ...bus.Decide) {
	t.Helper()
	for _, step := range steps {
		l, err := b.Load(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		next, err := step(l.Invoice)
		if err != nil {
			t.Fatal(err)
		}
		worker := events.RecordersOf(next.Change.From, next.Change.Event)[0]
		if _, err := b.UpdateFrom(t.Context(), string(worker), l, func(events.Invoice) (events.Invoice, error) { return next, nil }); err != nil {
			t.Fatal(err)
		}
	}
}
