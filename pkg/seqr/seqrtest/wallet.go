package seqrtest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// WalletAt returns the buyer of the sandbox at a URL. It is a [Scanner] too.
func WalletAt(sandbox string) Buyer { return wallet(strings.TrimSuffix(sandbox, "/")) }

// WaitAt returns a Target.Wait that moves the manual clock of the sandbox at a URL.
func WaitAt(sandbox string) func(context.Context, time.Duration) error {
	base := strings.TrimSuffix(sandbox, "/")
	return func(ctx context.Context, d time.Duration) error {
		return post(ctx, base+"/clock/advance?d="+url.QueryEscape(d.String()))
	}
}

type wallet string

// Scan reads the invoice's code, and shows the loyalty card where the invoice asks for one.
func (w wallet) Scan(ctx context.Context, invoiceReference string) error {
	return w.act(ctx, invoiceReference, "scan")
}

// Pay enters the PIN.
func (w wallet) Pay(ctx context.Context, invoiceReference string) error {
	return w.act(ctx, invoiceReference, "pay")
}

// Decline presses cancel.
func (w wallet) Decline(ctx context.Context, invoiceReference string) error {
	return w.act(ctx, invoiceReference, "decline")
}

func (w wallet) act(ctx context.Context, invoiceReference, what string) error {
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
