// Package receipter sends the receipt of every paid invoice.
//
//	consumes  invoices.*.*.paid
//	calls     submitPaymentReceipt (may be repeated: several receipts per payment are allowed)
//	appends   receipted
package receipter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "receipter"

// mimeType is the one that the provider's certification prefers for an encoded document.
const mimeType = "Base64"

// Provider is the calls this worker makes; *seqr.Client implements it.
type Provider interface {
	SubmitPaymentReceipt(context.Context, seqr.SubmitPaymentReceipt) error
	calls.Status
}

// Config of the worker.
type Config struct {
	Bus      *bus.Bus
	Provider Provider
	Shops    calls.Shops
	Only     []string           // takes only these shops' invoices; empty takes all
	Template *template.Template // nil is the built-in receipt; see [LoadTemplate]
}

// Worker sends receipts. Any number of copies may run.
type Worker struct{ Config }

// New worker.
func New(c Config) *Worker {
	if c.Template == nil {
		c.Template = builtin()
	}
	return &Worker{c}
}

// Consumers are the durables that the worker takes its messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{{Worker: Name, Name: Name, Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}}}
}

// Run handles messages until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	access := calls.Access{Provider: w.Provider, Shops: w.Shops, Only: w.Only}
	return access.Consume(ctx, w.Bus, Consumers(), w.Bus.OfInvoice(w.handle))
}

func (w *Worker) handle(ctx context.Context, _ bus.Delivery, _ events.Invoice, inv bus.Loaded) bus.Outcome {
	if len(inv.Receipts) > 0 || !inv.Can(events.EventReceipted) {
		return bus.Done // an earlier delivery did it, or there is nothing to receipt
	}
	as, err := calls.As(w.Shops, inv.Invoice)
	if err != nil {
		return bus.Elsewhere(inv.Terminal, err)
	}
	doc, err := render(w.Template, inv.Invoice)
	if err != nil {
		return bus.Park(fmt.Errorf("receipt template: %w", err))
	}
	begun := time.Now()
	err = w.Provider.SubmitPaymentReceipt(seqr.WithAbout(ctx, inv.Key.String()), seqr.SubmitPaymentReceipt{
		As: as, ErsReference: inv.ErsReference,
		Document: &seqr.ReceiptDocument{MIMEType: mimeType, Type: "PAYMENT_RECEIPT", Data: doc},
	})
	if err != nil {
		return calls.OutcomeOf(err)
	}
	fact := events.Fact{At: w.Bus.Now(), Why: "the provider accepted the receipt", Call: calls.Of("submitPaymentReceipt", begun, nil)}
	_, err = w.Bus.UpdateFrom(ctx, Name, inv, bus.IfAllowed(func(i events.Invoice) (events.Invoice, error) {
		if len(i.Receipts) > 0 {
			return i, bus.ErrNothing
		}
		return i.ReceiptedWith(digest(doc), fact)
	}))
	return bus.Recorded(err).Asked()
}

func digest(doc []byte) events.Receipt {
	sum := sha256.Sum256(doc)
	return events.Receipt{MIMEType: mimeType, SHA256: hex.EncodeToString(sum[:]), Bytes: len(doc)}
}

var errNoOrder = errors.New("the invoice has no order to make a receipt of")
