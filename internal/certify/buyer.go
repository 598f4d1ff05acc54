package certify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
type sandboxBuyer struct {
	sandbox *sandbox.Sandbox
	url     string
}

func (b sandboxBuyer) Pay(ctx context.Context, inv ShownInvoice) error {
	ref, err := b.read(ctx, inv.Code)
	if err != nil {
		return err
	}
	if ref != inv.Invoice.InvoiceReference {
		return fmt.Errorf("the code %s leads to invoice %q, not to %s", inv.Code, ref, inv.Invoice.InvoiceReference)
	}
	if err := b.sandbox.Scan(ref); err != nil {
		return err
	}
	return b.sandbox.Pay(ref)
}

func (sandboxBuyer) Leave(context.Context, ShownInvoice) error { return nil }

// read gives the invoiceReference that a code leads to: in the code itself, or the live invoice of the till.
func (b sandboxBuyer) read(ctx context.Context, code string) (string, error) {
	if ref, ok := strings.CutPrefix(code, "HTTP://SEQR.SE/R"); ok {
		return ref, nil
	}
	path, ok := strings.CutPrefix(code, "HTTP://SEQR.SE/")
	if !ok || !strings.HasPrefix(path, "Q") {
		return "", fmt.Errorf("%q is no code of the provider", code)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/"+path, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	if err := resp.Body.Close(); err != nil {
		return "", err
	}
	ref, ok := strings.CutPrefix(resp.Header.Get("Location"), "/R")
	if !ok {
		return "", errors.New("the till's code leads to no invoice")
	}
	return ref, nil
}
