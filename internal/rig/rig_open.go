package rig

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Bill makes an invoice at the sandbox and gives its reference. Nothing is recorded.
func (r *Rig) Bill(id string) (reference string) {
	r.T.Helper()
	as, _ := Shops{}.Terminal(Shop)
	sent, err := r.Client.SendInvoice(r.T.Context(), seqr.SendInvoice{As: as, Invoice: seqr.Invoice{
		ClientInvoiceID: id, Total: seqr.Amount{Currency: "SEK", Value: Amount("10").Decimal()}}})
	if err != nil {
		r.T.Fatal(err)
	}
	return sent.Reference
}

// Pay has the buyer pay a bill.
func (r *Rig) Pay(reference string) {
	r.T.Helper()
	if err := r.Sandbox.Pay(reference); err != nil {
		r.T.Fatal(err)
	}
}

// Recorded is what RecordIssued records.
type Recorded struct {
	ID, Reference string
	Shop          string        // Shop unless given
	Terminal      string        // the sandbox's demo terminal unless given
	ValidFor      time.Duration // an hour unless given
	Unindexed     bool          // only the event
	Unhinted      bool          // without the invoicer's hint
}

// RecordIssued puts an invoice on the index and records that it was issued, as the invoicer does.
func RecordIssued(ctx context.Context, b *bus.Bus, x Recorded) error {
	o := Order(x.ID, "10")
	if x.Shop != "" {
		o.Shop = x.Shop
	}
	if x.Terminal == "" {
		x.Terminal = "demo-terminal"
	}
	if x.ValidFor == 0 {
		x.ValidFor = time.Hour
	}
	if !x.Unindexed {
		if _, _, err := b.IndexOpen(ctx, o.Key(), 1); err != nil {
			return err
		}
	}
	_, err := b.Update(ctx, "invoicer", o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, events.ProviderInvoice{Terminal: x.Terminal, Reference: x.Reference, ValidFor: x.ValidFor}, events.Fact{At: b.Now(), Why: "test"})
	})
	if err != nil || x.Unhinted {
		return err
	}
	return b.HintIssued(o.Key())
}

// IssueDirectly makes an invoice at the sandbox and records it, as the invoicer does.
func (r *Rig) IssueDirectly(id string) (reference string) {
	r.T.Helper()
	reference = r.Bill(id)
	r.Record(Recorded{ID: id, Reference: reference})
	return reference
}

// Record is RecordIssued on the rig's broker.
func (r *Rig) Record(x Recorded) {
	r.T.Helper()
	if err := RecordIssued(r.T.Context(), r.Bus, x); err != nil {
		r.T.Fatal(err)
	}
}

// ConnectWith makes another connection to the rig's broker, with settings of its own.
func (r *Rig) ConnectWith(cfg bus.Config) *bus.Bus {
	r.T.Helper()
	cfg.Name, cfg.Log, cfg.Options = "rig", r.Log, append(cfg.Options, r.NATS.InProcess())
	b, err := bus.Connect(r.T.Context(), cfg)
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(b.Close)
	return b
}

// WaitRecorded waits until the last event of an invoice that is ours is the given one, whatever else is under its subjects.
func (r *Rig) WaitRecorded(id string, e events.Name) events.Invoice {
	r.T.Helper()
	patience, again := time.After(Patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		inv, err := r.Bus.Load(r.T.Context(), events.KeyOf(Shop, id))
		if err == nil && inv.Change.Event == e {
			return inv.Invoice
		}
		select {
		case <-again.C:
		case <-patience:
			r.T.Fatalf("no %s of %s within %s: %v\n%s", e, id, Patience, err, r.history())
		}
	}
}
