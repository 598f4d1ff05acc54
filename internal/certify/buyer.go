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

// Buyer is whoever holds the phone. Neither method waits for what comes of it.
type Buyer interface {
	// Pay has the buyer scan the code and pay.
	Pay(context.Context, Bill) error
	// Leave tells the buyer of a bill that is not to be paid.
	Leave(context.Context, Bill) error
}

// Bill is an invoice to be shown: Code is the text of the QR code that the buyer scans, the invoice's own
// or the one that stands on the till.
type Bill struct {
	Invoice events.Invoice
	Code    string
}

// sandboxBuyer plays the buyer at the sandbox.
type sandboxBuyer struct {
	sandbox *sandbox.Sandbox
	url     string
}

func (b sandboxBuyer) Pay(ctx context.Context, bill Bill) error {
	ref, err := b.read(ctx, bill.Code)
	if err != nil {
		return err
	}
	if ref != bill.Invoice.InvoiceReference {
		return fmt.Errorf("the code %s leads to invoice %q, not to %s", bill.Code, ref, bill.Invoice.InvoiceReference)
	}
	if err := b.sandbox.Scan(ref); err != nil {
		return err
	}
	return b.sandbox.Pay(ref)
}

func (sandboxBuyer) Leave(context.Context, Bill) error { return nil }

// read gives the invoice that a code leads to: its own, or what the till has on show.
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
