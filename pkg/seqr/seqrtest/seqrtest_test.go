package seqrtest

import (
	"context"
	"flag"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/govalues/decimal"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

var given = struct {
	endpoint, currency, wallet, clock                            *string
	terminal, terminalPassword, reseller, user, resellerPassword *string
	allowHTTP                                                    *bool
}{
	endpoint:         flag.String("endpoint", "", "the SOAP service to check; without it, a sandbox is started"),
	currency:         flag.String("currency", "SEK", "what the terminal sells in"),
	wallet:           flag.String("wallet", "", "address of the sandbox behind the endpoint, for its buyer; without it nothing is paid"),
	clock:            flag.String("clock", "real", "real, or manual: the sandbox at -wallet has a manual clock"),
	terminal:         flag.String("terminal", "demo-terminal", "id of a webshop terminal"),
	terminalPassword: flag.String("terminal-password-file", "", "file with its password; the demo password without"),
	reseller:         flag.String("reseller", "", "id of the reseller; without it no terminal is registered and no period closed"),
	user:             flag.String("reseller-user", "9900", "the reseller's user"),
	resellerPassword: flag.String("reseller-password-file", "", "file with the user's password; the demo password without"),
	allowHTTP:        flag.Bool("allow-http", false, "the endpoint may be http on a network you trust"),
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestProvider is the suite, aimed by the flags or at a sandbox of its own.
func TestProvider(t *testing.T) {
	if *given.endpoint == "" {
		srv := Start(t)
		checkProvider(t, target{
			Config: seqr.Config{Endpoint: srv.Endpoint}, Terminal: srv.Terminal, Reseller: srv.Reseller, Currency: *given.currency,
			Buyer: WalletAt(srv.URL), Wait: waitAt(srv.URL),
		})
		return
	}
	provider := target{
		Config:   seqr.Config{Endpoint: *given.endpoint, AllowHTTP: *given.allowHTTP},
		Currency: *given.currency,
		Terminal: seqr.Terminal(*given.terminal, password(t, *given.terminalPassword)),
		Buyer:    WalletAt(*given.wallet),
		Wait:     waitInRealTime,
	}
	if *given.reseller != "" {
		provider.Reseller = seqr.ResellerUser(*given.reseller, *given.user, password(t, *given.resellerPassword))
	}
	switch {
	case *given.clock == "manual" && *given.wallet != "":
		provider.Wait = waitAt(*given.wallet)
	case *given.clock != "real":
		t.Fatal("-clock: expected real, or manual together with -wallet")
	}
	checkProvider(t, provider)
}

func waitInRealTime(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitAt moves the manual clock of the sandbox at a URL.
func waitAt(sandbox string) func(context.Context, time.Duration) error {
	return func(ctx context.Context, d time.Duration) error {
		return post(ctx, sandbox+"/clock/advance?d="+url.QueryEscape(d.String()))
	}
}

func password(t *testing.T, file string) seqr.Secret {
	t.Helper()
	if file == "" {
		return "demo-secret"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return seqr.Secret(strings.TrimRight(string(text), "\r\n"))
}

// TestStart is a test as others would write it.
func TestStart(t *testing.T) {
	srv := Start(t)
	client := srv.Client(seqr.Config{})
	total := seqr.Amount{Currency: "SEK", Value: amount(t, "149.50")}
	sent, err := client.SendInvoice(t.Context(), seqr.SendInvoice{As: srv.Terminal, Invoice: seqr.Invoice{Total: total}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Scan(sent.Reference)
	srv.Confirm(sent.Reference)
	srv.Pay(sent.Reference)
	srv.Advance(25 * time.Second)
	ledger := srv.Ledger()
	if len(ledger.Reversals) != 1 || ledger.Reversals[0].InvoiceReference != sent.Reference || ledger.Invoices[0].Total.String() != "149.50" {
		t.Errorf("the payment was not fetched, and the ledger says %+v", ledger)
	}
}

// TestFaults: what a test asks to go wrong does, and only that.
func TestFaults(t *testing.T) {
	srv := Start(t, func(c *Config) { c.Terminals[0].ID = "mine" })
	client := srv.Client(seqr.Config{})
	srv.Faults("sendInvoice", Fault{Kind: "dropAfter", Count: 1})
	invoice := seqr.SendInvoice{As: srv.Terminal, Invoice: seqr.Invoice{Total: seqr.Amount{Currency: "SEK", Value: amount(t, "1")}}}
	if _, err := client.SendInvoice(t.Context(), invoice); seqr.Classify(err) != seqr.Unknown {
		t.Errorf("an answer that was lost: %v", err)
	}
	sent, err := client.SendInvoice(t.Context(), invoice)
	if err != nil {
		t.Fatal(err)
	}
	srv.Decline(sent.Reference)
	ledger := srv.Ledger()
	if len(ledger.Invoices) != 2 || ledger.Invoices[0].Terminal != "mine" {
		t.Errorf("%+v", ledger.Invoices)
	}
	srv.Expire(ledger.Invoices[0].InvoiceReference)
	if got := srv.Ledger().Invoices; got[0].Status != "EXPIRED" || got[1].Status != "CANCELED" {
		t.Errorf("%+v", got)
	}
}

// TestWalletSaysWhy: a buyer who can't do something gives the sandbox's reason.
func TestWalletSaysWhy(t *testing.T) {
	srv := Start(t, func(c *Config) { c.ManualClock = false })
	if err := WalletAt(srv.URL+"/").Pay(t.Context(), "4711"); err == nil || !strings.Contains(err.Error(), "no invoice 4711") {
		t.Errorf("%v", err)
	}
	if err := waitAt(srv.URL)(t.Context(), time.Second); err == nil || !strings.Contains(err.Error(), "manual clock") {
		t.Errorf("%v", err)
	}
}

func amount(t *testing.T, s string) decimal.Decimal {
	t.Helper()
	d, err := decimal.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
