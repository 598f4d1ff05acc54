package rig

import (
	"testing"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Audit reads every event and fails the test for each problem in the history, for each difference to the provider's ledger, and
// when a message is parked. It gives the history and the comparison.
func Audit(t testing.TB, b *bus.Bus, l sandbox.Ledger) (*audit.History, audit.Comparison) {
	t.Helper()
	h, err := audit.Read(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range h.Problems {
		t.Errorf("history: %s", p)
	}
	c := audit.Compare(l, h.Last())
	for _, d := range c.Differences {
		t.Errorf("ledger: %s", d)
	}
	if n, err := b.LastSeq(t.Context(), events.ParkedStream); err != nil || n > 0 {
		t.Errorf("%d messages are parked (%v), expected none", n, err)
	}
	return h, c
}

// History gives the names of an invoice's events in order.
func (r *Rig) History(id string) []events.Name {
	r.T.Helper()
	h, err := audit.Read(r.T.Context(), r.Bus)
	if err != nil {
		r.T.Fatal(err)
	}
	return h.Names(events.KeyOf(Shop, id))
}

// Parked counts the records of parked messages, whatever was decided about them.
func (r *Rig) Parked() int {
	r.T.Helper()
	n, err := r.Bus.LastSeq(r.T.Context(), events.ParkedStream)
	if err != nil {
		r.T.Fatal(err)
	}
	return int(n)
}
