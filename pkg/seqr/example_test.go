package seqr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// script is a provider for the examples: it has one answer for each operation.
func script(answers map[string]string) (endpoint string, stop func()) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, _ := io.ReadAll(r.Body)
		for operation, inside := range answers {
			if strings.Contains(string(request), ":"+operation+">") {
				_, _ = io.WriteString(w, answerTo(operation, inside))
			}
		}
	}))
	return s.URL, s.Close
}

func exampleClient(operation, inside string) (*seqr.Client, func()) {
	endpoint, stop := script(map[string]string{operation: inside})
	client, err := seqr.New(seqr.Config{Endpoint: endpoint, ClientID: "Example AB", ClientReference: "till/1.0"})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.CloseIdle()
		stop()
	}
}

func ExampleClient_SendInvoice() {
	client, stop := exampleClient("sendInvoice", `<resultCode>0</resultCode>`+
		`<invoiceQRCode>HTTP://SEQR.SE/R1357902468013</invoiceQRCode><invoiceReference>1357902468013</invoiceReference>`)
	defer stop()

	price := seqr.Amount{Currency: "SEK", Value: decimal.MustParse("149.50")}
	sent, err := client.SendInvoice(context.Background(), seqr.SendInvoice{
		As: seqr.Terminal("till-1", "password"),
		Invoice: seqr.Invoice{
			Title:           "Corner shop",
			ClientInvoiceID: "order-1001",
			Rows:            []seqr.InvoiceRow{{Description: "Umbrella", Quantity: decimal.One, Total: price}},
			Total:           price,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("scan", sent.QRCode)
	fmt.Println("or open", seqr.QRLink(sent.Reference, false))
	// Output:
	// scan HTTP://SEQR.SE/R1357902468013
	// or open SEQR://SEQR.SE/R1357902468013
}

func ExampleClient_GetPaymentStatus() {
	client, stop := exampleClient("getPaymentStatus", `<ersReference>2026031412301512300000042</ersReference>`+
		`<resultCode>0</resultCode><status>PAID</status><version>2</version>`)
	defer stop()

	p, err := client.GetPaymentStatus(context.Background(), seqr.GetPaymentStatus{
		As:               seqr.Terminal("till-1", "password"),
		InvoiceReference: "1357902468013",
		Version:          1, // the last one received
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Status, p.ErsReference, "next version:", p.Version)
	// Output:
	// PAID 2026031412301512300000042 next version: 2
}

func ExampleClient_SubmitPaymentReceipt() {
	client, stop := exampleClient("submitPaymentReceipt", `<resultCode>0</resultCode>`)
	defer stop()

	err := client.SubmitPaymentReceipt(context.Background(), seqr.SubmitPaymentReceipt{
		As:           seqr.Terminal("till-1", "password"),
		ErsReference: "2026031412301512300000042",
		Document:     &seqr.ReceiptDocument{MIMEType: "Base64", Data: []byte("<h1>Thank you</h1>")},
	})
	fmt.Println(seqr.Classify(err))
	// Output:
	// done
}

func ExampleClient_CancelInvoice() {
	client, stop := exampleClient("cancelInvoice", `<resultCode>50</resultCode>`)
	defer stop()

	err := client.CancelInvoice(context.Background(), seqr.CancelInvoice{
		As:               seqr.Terminal("till-1", "password"),
		InvoiceReference: "1357902468013",
	})
	if code, ok := seqr.CodeOf(err); ok && code == seqr.CannotCancelPaidInvoice {
		fmt.Println("too late: refund it instead")
	}
	// Output:
	// too late: refund it instead
}

// A refund whose outcome is unknown is the one call that must not be repeated.
func ExampleClient_RefundPayment() {
	client, stop := exampleClient("refundPayment", `<resultCode>90</resultCode>`)
	defer stop()

	refund, err := client.RefundPayment(context.Background(), seqr.RefundPayment{
		As:           seqr.Terminal("till-1", "password"),
		ErsReference: "2026031412301512300000042",
		Invoice:      seqr.Invoice{Title: "Umbrella returned", Total: seqr.Amount{Currency: "SEK", Value: decimal.MustParse("149.50")}},
	})
	switch seqr.Classify(err) {
	case seqr.Done:
		fmt.Println("refunded as", refund.ErsReference)
	case seqr.TryAgain, seqr.TryLater:
		fmt.Println("not done; again in a minute")
	case seqr.Refused:
		fmt.Println("no money goes back:", err)
	case seqr.Unknown:
		fmt.Println("ask a person, or the period's report:", err)
	}
	// Output:
	// ask a person, or the period's report: seqr: refundPayment: outcome unknown: 90 SYSTEM_ERROR
}

func ExampleClient_MarkTransactionPeriod() {
	client, stop := exampleClient("markTransactionPeriod",
		`<resultCode>0</resultCode><transactionPeriodId>2026031423590000000000007</transactionPeriodId>`)
	defer stop()

	period, err := client.MarkTransactionPeriod(context.Background(), seqr.MarkTransactionPeriod{
		As: seqr.ResellerUser("shop-1", "9900", "password"),
	})
	fmt.Println(period, err)
	// Output:
	// 2026031423590000000000007 <nil>
}

func ExampleClient_ExecuteReport() {
	client, stop := exampleClient("executeReport", `<resultCode>0</resultCode><report><contentString><![CDATA[`+
		`<TransactionDetails><Row><SalesAmount>149.50000</SalesAmount><ErsReference>2026031412301512300000042</ErsReference></Row></TransactionDetails>`+
		`]]></contentString></report>`)
	defer stop()

	report, err := client.ExecuteReport(context.Background(), seqr.ExecuteReport{
		As:         seqr.ResellerUser("shop-1", "9900", "password"),
		ReportID:   seqr.ReportTransactions,
		Parameters: map[string]string{seqr.ParamTransactionPeriodID: "2026031423590000000000007"},
	})
	if seqr.Classify(err) == seqr.TryLater {
		fmt.Println("not ready; again in a few seconds")
		return
	}
	meta, err := seqr.ParseTransactionDetails(report.Content, func(row seqr.ReportRow) error {
		fmt.Println(row.ErsReference, row.SalesAmount)
		return nil
	})
	fmt.Println(meta.Rows, err)
	// Output:
	// 2026031412301512300000042 149.50000
	// 1 <nil>
}

func ExampleError() {
	client, err := seqr.New(seqr.Config{Endpoint: "http://127.0.0.1:1/"}) // no server listens there
	if err != nil {
		log.Fatal(err)
	}
	err = client.BenchmarkingNop(context.Background())
	var e *seqr.Error
	if errors.As(err, &e) {
		fmt.Println(e.Operation, "was", e.Sent, "so", e.Class())
	}
	// Output:
	// benchmarkingNop was not sent so try again
}
