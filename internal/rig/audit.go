package rig

import (
	"context"
	"testing"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Audit reads every event and fails the test for each problem in the history and for each difference to the provider's ledger. It
// gives the history and the comparison. Foreign lists the sequences in INVOICES of what no worker wrote. It may be called in a
// cleanup of the test.
func Audit(t testing.TB, b *bus.Bus, l sandbox.Ledger, foreign ...uint64) (*audit.History, audit.Comparison) {
	t.Helper()
	h, err := audit.Read(context.WithoutCancel(t.Context()), b, foreign...)
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
	return h, c
}

// Parked counts the records of parked messages, whatever was decided about them.
func Parked(t testing.TB, b *bus.Bus) int {
	t.Helper()
	n, err := b.LastSeq(t.Context(), events.ParkedStream)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// NoneParked fails the test for each message that was parked, with the reason.
func NoneParked(t testing.TB, b *bus.Bus) {
	t.Helper()
	_, err := b.Scan(t.Context(), bus.Scan{Stream: events.ParkedStream}, func(m bus.Entry) error {
		p, _, err := events.DecodeParked(m.Body)
		t.Errorf("parked by %s after %d attempts: message %d on %s: %s", p.Worker, p.Attempts, p.Sequence, p.Subject, p.Reason)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Parked counts the records of parked messages on the rig's broker.
func (r *Rig) Parked() int { r.T.Helper(); return Parked(r.T, r.Bus) }

// History gives the names of an invoice's events in order.
func (r *Rig) History(id string) (names []events.Name) {
	r.T.Helper()
	h, err := audit.Read(r.T.Context(), r.Bus)
	if err != nil {
		r.T.Fatal(err)
	}
	for _, e := range h.Events[events.KeyOf(Shop, id)] {
		names = append(names, e.Change.Event)
	}
	return names
}
