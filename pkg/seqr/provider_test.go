package seqr_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// canary is the password in these tests, with everything in it that needs escaping.
const canary = `canary<&>"'ö-xyzzy`

// answering starts a provider that says the same to everybody.
func answering(t testing.TB, status int, body string) *httptest.Server {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newClient(t testing.TB, config seqr.Config) *seqr.Client {
	t.Helper()
	if config.ClientID == "" {
		config.ClientID, config.ClientReference = "Example AB", "till/1.0"
	}
	c, err := seqr.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func till() seqr.Principal { return seqr.Terminal("till-1", canary) }

func shop() seqr.Principal { return seqr.ResellerUser("shop-1", "9900", canary) }

func sek(value string) seqr.Amount {
	return seqr.Amount{Currency: "SEK", Value: decimal.MustParse(value)}
}

// answerTo wraps what stands inside <return>.
func answerTo(operation, inside string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>`+
		`<ns2:%[1]sResponse xmlns:ns2="http://external.interfaces.ers.seamless.com/"><return>%[2]s</return></ns2:%[1]sResponse>`+
		`</S:Body></S:Envelope>`, operation, inside)
}

func recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/answers/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// everyCall makes each operation once.
func everyCall() map[string]func(context.Context, *seqr.Client) error {
	return map[string]func(context.Context, *seqr.Client) error{
		"sendInvoice": func(ctx context.Context, c *seqr.Client) error {
			_, err := c.SendInvoice(ctx, seqr.SendInvoice{As: till(), Invoice: fullInvoice()})
			return err
		},
		"updateInvoice": func(ctx context.Context, c *seqr.Client) error {
			return c.UpdateInvoice(ctx, seqr.UpdateInvoice{As: till(), InvoiceReference: "1357902468013",
				Invoice: seqr.Invoice{Title: "Corner <shop>", Total: sek("90.00")},
				Tokens:  []seqr.CustomerToken{{ID: "t1", Description: "Club & co", Value: "4711", Status: seqr.TokenUsed}, {Status: seqr.TokenBlocked}}})
		},
		"getPaymentStatus": func(ctx context.Context, c *seqr.Client) error {
			_, err := c.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: till(), InvoiceReference: "1357902468013", Version: 3})
			return err
		},
		"cancelInvoice": func(ctx context.Context, c *seqr.Client) error {
			return c.CancelInvoice(ctx, seqr.CancelInvoice{As: till(), InvoiceReference: "1357902468013"})
		},
		"commitReservation": func(ctx context.Context, c *seqr.Client) error {
			amount := sek("75.5")
			return c.CommitReservation(ctx, seqr.CommitReservation{As: till(), InvoiceReference: "1357902468013", Amount: &amount})
		},
		"submitPaymentReceipt": func(ctx context.Context, c *seqr.Client) error {
			return c.SubmitPaymentReceipt(ctx, seqr.SubmitPaymentReceipt{As: till(), ErsReference: ers,
				Document: &seqr.ReceiptDocument{MIMEType: "Base64", Data: []byte("<p>Tack för köpet!</p>")}})
		},
		"refundPayment": func(ctx context.Context, c *seqr.Client) error {
			_, err := c.RefundPayment(ctx, seqr.RefundPayment{As: till(), ErsReference: ers,
				Invoice: seqr.Invoice{ClientInvoiceID: "order-1", Total: sek("20.00")}})
			return err
		},
		"registerTerminal": func(ctx context.Context, c *seqr.Client) error {
			_, err := c.RegisterTerminal(ctx, seqr.RegisterTerminal{As: shop(), ExternalTerminalID: "till 7", Password: canary + "2", Name: "Kassa 7"})
			return err
		},
		"unregisterTerminal": func(ctx context.Context, c *seqr.Client) error {
			return c.UnregisterTerminal(ctx, seqr.UnregisterTerminal{As: till()})
		},
		"assignSeqrId": func(ctx context.Context, c *seqr.Client) error {
			return c.AssignSeqrID(ctx, seqr.AssignSeqrID{As: till(), SeqrID: "AB12"})
		},
		"markTransactionPeriod": func(ctx context.Context, c *seqr.Client) error {
			_, err := c.MarkTransactionPeriod(ctx, seqr.MarkTransactionPeriod{As: shop(), Parameters: map[string]string{seqr.ParamTerminalID: "till-1"}})
			return err
		},
		"executeReport": func(ctx context.Context, c *seqr.Client) error {
			_, err := c.ExecuteReport(ctx, seqr.ExecuteReport{As: shop(), ReportID: seqr.ReportTerminalTransaction, Language: "en",
				Parameters: map[string]string{seqr.ParamTransactionPeriodID: ers, seqr.ParamTerminalID: "till-1"}})
			return err
		},
		"benchmarkingNop": func(ctx context.Context, c *seqr.Client) error { return c.BenchmarkingNop(ctx) },
	}
}

// ers is a reference as the provider gives them to payments and periods.
const ers = "2026031412301512300000042"
