package certify

import (
	"context"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Buyer has the phone with the provider's app. Its methods do not wait until the provider has acted.
type Buyer interface {
	// Pay makes the buyer scan the code and pay.
	Pay(context.Context, ShownInvoice) error
	// Leave tells the buyer of an invoice that is not to be paid.
	Leave(context.Context, ShownInvoice) error
}

// ShownInvoice is an invoice for the buyer. Code is the text of the QR code that the buyer scans: the invoice's own, or the
// till's.
type ShownInvoice struct {
	Invoice events.Invoice
	Code    string
}

// sandboxBuyer is the buyer of a run against its own sandbox.
type sandboxBuyer struct{ sandbox *sandbox.Sandbox }

func (b sandboxBuyer) Pay(_ context.Context, inv ShownInvoice) error {
	ref := b.sandbox.InvoiceOf(inv.Code)
	if ref != inv.Invoice.InvoiceReference {
		return fmt.Errorf("the code %s leads to invoice %q, not to %s", inv.Code, ref, inv.Invoice.InvoiceReference)
	}
	if err := b.sandbox.Scan(ref); err != nil {
		return err
	}
	return b.sandbox.Pay(ref)
}

func (sandboxBuyer) Leave(context.Context, ShownInvoice) error { return nil }
