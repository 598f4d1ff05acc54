package seqrtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Wallet is the buyer of a sandbox that may be another process. Each method returns when the sandbox has recorded what the
// buyer did.
type Wallet string

// WalletAt returns the buyer of the sandbox at a URL.
func WalletAt(sandbox string) Wallet { return Wallet(strings.TrimSuffix(sandbox, "/")) }

// Scan reads the invoice's code, and shows the loyalty card where the invoice asks for one.
func (w Wallet) Scan(ctx context.Context, invoiceReference string) error {
	return w.act(ctx, invoiceReference, "scan")
}

// Pay enters the PIN.
func (w Wallet) Pay(ctx context.Context, invoiceReference string) error {
	return w.act(ctx, invoiceReference, "pay")
}

// Decline presses cancel.
func (w Wallet) Decline(ctx context.Context, invoiceReference string) error {
	return w.act(ctx, invoiceReference, "decline")
}

func (w Wallet) act(ctx context.Context, invoiceReference, what string) error {
	return post(ctx, string(w)+"/wallet/"+url.PathEscape(invoiceReference)+"/"+what)
}

// post reads as much of an answer as explains a refusal.
func post(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("HTTP %d: %s", resp.StatusCode, said)
	}
	return nil
}
