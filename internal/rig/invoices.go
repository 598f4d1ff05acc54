package rig

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// SendInvoice makes an invoice of 10 SEK at the sandbox and gives its reference. No event is recorded.
func (r *Rig) SendInvoice(id string) (reference string) {
	r.T.Helper()
	as, _ := Shops{}.Terminal(Shop)
	sent, err := r.Client.SendInvoice(r.T.Context(), seqr.SendInvoice{As: as, Invoice: seqr.Invoice{
		ClientInvoiceID: id, Total: seqr.Amount{Currency: "SEK", Value: Amount("10").Decimal()}}})
	if err != nil {
		r.T.Fatal(err)
	}
	return sent.Reference
}

// Pay has the buyer pay an invoice of the sandbox.
func (r *Rig) Pay(reference string) {
	r.T.Helper()
	if err := r.Sandbox.Pay(reference); err != nil {
		r.T.Fatal(err)
	}
}

// IssueDirectly makes an invoice at the sandbox and records that it was issued, as the invoicer does.
func (r *Rig) IssueDirectly(id string) (reference string) {
	r.T.Helper()
	reference = r.SendInvoice(id)
	r.Record(Recorded{ID: id, Reference: reference})
	return reference
}

// Recorded describes an invoice of 10 SEK that RecordIssued records.
type Recorded struct {
	ID, Reference string
	Shop          string        // Shop unless given
	Terminal      string        // the sandbox's demo terminal unless given
	ValidFor      time.Duration // an hour unless given
	Unindexed     bool          // leaves it off the index of open invoices
	Unhinted      bool          // publishes no hint
}

// Record is RecordIssued on the rig's broker.
func (r *Rig) Record(x Recorded) {
	r.T.Helper()
	if err := RecordIssued(r.T.Context(), r.Bus, x); err != nil {
		r.T.Fatal(err)
	}
}

// RecordIssued does what the invoicer does with an invoice that the provider has made: it puts the invoice on the index of open
// invoices, records that it was issued, and publishes a hint.
func RecordIssued(ctx context.Context, b *bus.Bus, x Recorded) error {
	o := Order(x.ID, "10")
	o.Shop = cmp.Or(x.Shop, Shop)
	if !x.Unindexed {
		if _, _, err := b.IndexOpen(ctx, o.Key(), 1); err != nil {
			return err
		}
	}
	bill := events.ProviderInvoice{Terminal: cmp.Or(x.Terminal, "demo-terminal"), Reference: x.Reference, ValidFor: cmp.Or(x.ValidFor, time.Hour)}
	_, err := b.Update(ctx, "invoicer", o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, bill, events.Fact{At: b.Now(), Why: "test"})
	})
	if err != nil || x.Unhinted {
		return err
	}
	return b.HintIssued(o.Key())
}

// AppendEvents appends the events of an invoice that the decisions make, each as a worker that may record it.
func AppendEvents(t testing.TB, b *bus.Bus, k events.Key, decisions ...bus.Decide) {
	t.Helper()
	for _, decide := range decisions {
		l, err := b.Load(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		next, err := decide(l.Invoice)
		if err != nil {
			t.Fatal(err)
		}
		worker := events.RecordersOf(next.Change.From, next.Change.Event)[0]
		if _, err := b.UpdateFrom(t.Context(), string(worker), l, func(events.Invoice) (events.Invoice, error) { return next, nil }); err != nil {
			t.Fatal(err)
		}
	}
}
