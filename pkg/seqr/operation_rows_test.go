package seqr_test

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// operationTest is what the tests know of an operation.
type operationTest struct {
	call         func(context.Context, *seqr.Client) error // as in testdata/requests
	safeToRepeat bool
	// means is what the result codes of the operation mean: the class, and after a space the one question that is
	// answered yes. A code that is in neither table, known to the protocol or not, leaves the outcome unknown.
	means map[string][]int
}

// operationTests has a row for each operation.
var operationTests = map[string]operationTest{
	"sendInvoice": {
		call: func(ctx context.Context, c *seqr.Client) error {
			_, err := c.SendInvoice(ctx, seqr.SendInvoice{As: till(), Invoice: fullInvoice()})
			return err
		},
		means: map[string][]int{
			"refused":   {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 52, 64, 91},
			"try again": {48},
		},
	},
	"updateInvoice": {
		call: func(ctx context.Context, c *seqr.Client) error {
			return c.UpdateInvoice(ctx, seqr.UpdateInvoice{As: till(), InvoiceReference: "1357902468013",
				Invoice: seqr.Invoice{Title: "Corner <shop>", Total: sek("90.00")},
				Tokens:  []seqr.CustomerToken{{ID: "t1", Description: "Club & co", Value: "4711", Status: seqr.TokenUsed}, {Status: seqr.TokenBlocked}}})
		},
		means: map[string][]int{
			"refused":                     {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 52, 64, 91},
			"refused IsUnknownInvoice":    {54},
			"refused IsExpired":           {58},
			"try again":                   {48},
			"try again IsBuyerConfirming": {51},
		},
	},
	"getPaymentStatus": {
		call: func(ctx context.Context, c *seqr.Client) error {
			_, err := c.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: till(), InvoiceReference: "1357902468013", Version: 3})
			return err
		},
		safeToRepeat: true,
		means: map[string][]int{
			"refused IsUnknownInvoice":  {54},
			"refused IsAlreadyCanceled": {55, 95},
			"refused IsExpired":         {58},
			"try again":                 {48},
		},
	},
	"cancelInvoice": {
		call: func(ctx context.Context, c *seqr.Client) error {
			return c.CancelInvoice(ctx, seqr.CancelInvoice{As: till(), InvoiceReference: "1357902468013"})
		},
		safeToRepeat: true,
		means: map[string][]int{
			"refused":                     {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 55, 91},
			"refused IsAlreadyPaid":       {50},
			"refused IsUnknownInvoice":    {54},
			"refused IsExpired":           {58},
			"refused IsAlreadyCanceled":   {95},
			"try again":                   {48},
			"try again IsBuyerConfirming": {51},
		},
	},
	"commitReservation": {
		call: func(ctx context.Context, c *seqr.Client) error {
			amount := sek("75.5")
			return c.CommitReservation(ctx, seqr.CommitReservation{As: till(), InvoiceReference: "1357902468013", Amount: &amount})
		},
		means: map[string][]int{
			"refused":                  {10, 11, 12, 49, 91, 96},
			"refused IsUnknownInvoice": {54},
		},
	},
	"submitPaymentReceipt": {
		call: func(ctx context.Context, c *seqr.Client) error {
			return c.SubmitPaymentReceipt(ctx, seqr.SubmitPaymentReceipt{As: till(), ErsReference: ers,
				Document: &seqr.ReceiptDocument{MIMEType: "Base64", Data: []byte("<p>Tack för köpet!</p>")}})
		},
		safeToRepeat: true,
		means: map[string][]int{
			"refused":                  {10, 11, 12, 13, 23, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 49, 52, 91},
			"refused IsUnknownInvoice": {54},
			"try again":                {48},
		},
	},
	"refundPayment": {
		call: func(ctx context.Context, c *seqr.Client) error {
			_, err := c.RefundPayment(ctx, seqr.RefundPayment{As: till(), ErsReference: ers,
				Invoice: seqr.Invoice{ClientInvoiceID: "order-1", Total: sek("20.00")}})
			return err
		},
		means: map[string][]int{
			"refused":                  {10, 11, 12, 23, 49, 64, 91, 97, 99},
			"refused IsUnknownInvoice": {54},
			"refused IsRefundLimit":    {98},
		},
	},
	"registerTerminal": {
		call: func(ctx context.Context, c *seqr.Client) error {
			_, err := c.RegisterTerminal(ctx, seqr.RegisterTerminal{As: shop(), ExternalTerminalID: "till 7", Password: canary + "2", Name: "Kassa 7"})
			return err
		},
		means: map[string][]int{
			"refused": {10, 11, 12, 13, 22, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 56, 57, 91},
		},
	},
	"unregisterTerminal": {
		call: func(ctx context.Context, c *seqr.Client) error {
			return c.UnregisterTerminal(ctx, seqr.UnregisterTerminal{As: till()})
		},
		means: map[string][]int{
			"refused": {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 91},
		},
	},
	"assignSeqrId": {
		call: func(ctx context.Context, c *seqr.Client) error {
			return c.AssignSeqrID(ctx, seqr.AssignSeqrID{As: till(), SeqrID: "AB12"})
		},
		means: map[string][]int{
			"refused": {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 53, 91},
		},
	},
	"markTransactionPeriod": {
		call: func(ctx context.Context, c *seqr.Client) error {
			_, err := c.MarkTransactionPeriod(ctx, seqr.MarkTransactionPeriod{As: shop(), Parameters: map[string]string{seqr.ParamTerminalID: "till-1"}})
			return err
		},
		means: map[string][]int{
			"refused": {10, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 91},
		},
	},
	"executeReport": {
		call: func(ctx context.Context, c *seqr.Client) error {
			_, err := c.ExecuteReport(ctx, seqr.ExecuteReport{As: shop(), ReportID: seqr.ReportTerminalTransaction, Language: "en",
				Parameters: map[string]string{seqr.ParamTransactionPeriodID: ers, seqr.ParamTerminalID: "till-1"}})
			return err
		},
		safeToRepeat: true,
		means: map[string][]int{
			"refused":              {10, 11, 12, 13, 30, 31, 32, 34, 35, 36, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 52, 91},
			"try later IsNotReady": {2},
		},
	},
	"benchmarkingNop": {
		call:         func(ctx context.Context, c *seqr.Client) error { return c.BenchmarkingNop(ctx) },
		safeToRepeat: true,
		means: map[string][]int{
			"refused": {91},
		},
	},
}

// everyCall makes each operation once.
func everyCall() map[string]func(context.Context, *seqr.Client) error {
	calls := map[string]func(context.Context, *seqr.Client) error{}
	for operation, o := range operationTests {
		calls[operation] = o.call
	}
	return calls
}

// meansForAll goes for every operation.
var meansForAll = map[string][]int{
	"done":                          {0},
	"refused IsCredentialError":     {20, 21, 29, 33, 37, 92},
	"try again IsBusy IsUnanswered": {93, 94},
}
