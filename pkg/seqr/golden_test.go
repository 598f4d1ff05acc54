package seqr_test

import (
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

var update = flag.Bool("update", false, "write the golden requests anew")

// fullInvoice sets every field that there is.
func fullInvoice() seqr.Invoice {
	tax, discount, unitPrice := decimal.MustParse("25"), sek("-1.50"), sek("10.00")
	return seqr.Invoice{
		PaymentMode:        seqr.ReservationDesired,
		AcknowledgmentMode: seqr.OptionalAcknowledgment,
		IssueDate:          time.Date(2026, 3, 14, 12, 30, 15, 123e6, time.FixedZone("CET", 3600)),
		Title:              "Smörgås & <Co>",
		ClientInvoiceID:    "order 17\x00\r\n\xff]]>",
		Rows: []seqr.InvoiceRow{
			{
				Description: "Räksmörgås 🦐", Discount: &discount, EAN: "7310865004703", Quantity: decimal.MustParse("2.5"),
				SKU: "rs-1", TaxRate: &tax, Total: sek("23.50"), Unit: "st", UnitPrice: &unitPrice,
			},
			{Description: "Rabatt", Total: seqr.Amount{Value: decimal.MustParse("-3.50")}},
		},
		Total:                    sek("20.00"),
		CashierID:                "Åsa",
		Footer:                   "Välkommen åter",
		BackURL:                  "https://shop.example/back?a=1&b=2",
		NotificationURL:          "https://shop.example/paid",
		CommitReservationTimeout: 90*time.Second + time.Millisecond,
	}
}

// TestPaymentModeOfRequests: a new invoice and a refund always have a mode; an update has one only to change it.
func TestPaymentModeOfRequests(t *testing.T) {
	plain := seqr.Invoice{Total: sek("1.00")}
	for operation, c := range map[string]struct {
		mode string
		call func(context.Context, *seqr.Client) error
	}{
		"sendInvoice": {"<paymentMode>IMMEDIATE_DEBIT</paymentMode>", func(ctx context.Context, c *seqr.Client) error {
			_, err := c.SendInvoice(ctx, seqr.SendInvoice{As: till(), Invoice: plain})
			return err
		}},
		"refundPayment": {"<paymentMode>IMMEDIATE_DEBIT</paymentMode>", func(ctx context.Context, c *seqr.Client) error {
			_, err := c.RefundPayment(ctx, seqr.RefundPayment{As: till(), ErsReference: ers, Invoice: plain})
			return err
		}},
		"updateInvoice": {"", func(ctx context.Context, c *seqr.Client) error {
			return c.UpdateInvoice(ctx, seqr.UpdateInvoice{As: till(), InvoiceReference: "1", Invoice: plain})
		}},
		"updateInvoice with a mode": {"<paymentMode>RESERVATION_REQUIRED</paymentMode>", func(ctx context.Context, c *seqr.Client) error {
			changed := plain
			changed.PaymentMode = seqr.ReservationRequired
			return c.UpdateInvoice(ctx, seqr.UpdateInvoice{As: till(), InvoiceReference: "1", Invoice: changed})
		}},
	} {
		rec := &recorder{}
		s := answering(t, http.StatusOK, "")
		_ = c.call(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL, Recorder: rec})) // the request is of interest
		request := string(rec.all[0].Request)
		if !strings.Contains(request, "<invoice>"+c.mode+"<acknowledgmentMode>") {
			t.Errorf("%s: %s", operation, request)
		}
	}
}

// TestRequests holds each operation to the bytes in testdata/requests. The order of elements in those
// files is the interface's.
func TestRequests(t *testing.T) {
	for operation, call := range everyCall() {
		t.Run(operation, func(t *testing.T) {
			compareRequest(t, operation, call)
		})
	}
	t.Run("submitPaymentReceipt-empty", func(t *testing.T) {
		compareRequest(t, "submitPaymentReceipt-empty", func(ctx context.Context, c *seqr.Client) error {
			return c.SubmitPaymentReceipt(ctx, seqr.SubmitPaymentReceipt{As: till(), ErsReference: ers})
		})
	})
	t.Run("commitReservation-all", func(t *testing.T) {
		compareRequest(t, "commitReservation-all", func(ctx context.Context, c *seqr.Client) error {
			return c.CommitReservation(ctx, seqr.CommitReservation{As: till(), InvoiceReference: "1357902468013"})
		})
	})
}

func compareRequest(t *testing.T, name string, call func(context.Context, *seqr.Client) error) {
	t.Helper()
	body, header := requestOf(t, seqr.Config{Comment: "test <run>"}, call)
	file := "testdata/requests/" + name + ".xml"
	if *update {
		if err := os.WriteFile(file, []byte(body+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spread(string(want)), spread(body+"\n")); diff != "" {
		t.Errorf("request differs from %s (-want +got):\n%s", file, diff)
	}
	if got := header.Get("Content-Type"); got != "text/xml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if got := header.Values("SOAPAction"); !cmp.Equal(got, []string{`""`}) {
		t.Errorf("SOAPAction %q", got)
	}
	wellFormed(t, body)
}

// requestOf gives what a call sends.
func requestOf(t *testing.T, config seqr.Config, call func(context.Context, *seqr.Client) error) (string, http.Header) {
	t.Helper()
	var body []byte
	var header http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
	})
	config.Endpoint = s.URL
	if err := call(t.Context(), newClient(t, config)); seqr.Classify(err) != seqr.Unknown {
		t.Fatalf("an empty answer gave %v", err)
	}
	return string(body), header
}

func spread(s string) []string { return strings.SplitAfter(s, ">") }

func wellFormed(t *testing.T, body string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
	}
}

// TestRequestDefaults: what a caller leaves out is what the buyer's app and the certification need.
func TestRequestDefaults(t *testing.T) {
	body, _ := requestOf(t, seqr.Config{}, func(ctx context.Context, c *seqr.Client) error {
		_, err := c.SendInvoice(ctx, seqr.SendInvoice{As: till(), Invoice: seqr.Invoice{Total: sek("12.00")}})
		return err
	})
	for _, want := range []string{
		"<channel>WS</channel>",
		"<clientRequestTimeout>0</clientRequestTimeout>",
		"<paymentMode>IMMEDIATE_DEBIT</paymentMode>",
		"<acknowledgmentMode>NO_ACKNOWLEDGMENT</acknowledgmentMode>",
		"<invoiceRow><itemDescription>Total</itemDescription><itemQuantity>1</itemQuantity>" +
			"<itemTotalAmount><currency>SEK</currency><value>12.00</value></itemTotalAmount></invoiceRow>",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the request lacks %s:\n%s", want, body)
		}
	}
	for _, never := range []string{"issueDate", "clientComment", "commitReservationTimeout", "backURL", "userId"} {
		if strings.Contains(body, never) {
			t.Errorf("the request has %s:\n%s", never, body)
		}
	}
}
