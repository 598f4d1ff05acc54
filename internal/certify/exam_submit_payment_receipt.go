package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// submitPaymentReceipt tests that a receipt is sent after PAID, with a mimeType that fits its content.
func submitPaymentReceipt(e *exam, ctx context.Context) {
	placed, ok := e.placeOrder(ctx, stepSend, row("Certification item", 1, 2))
	if !ok {
		return
	}
	paid, ok := e.payAndWait(ctx, &placed, false)
	if !ok {
		return
	}
	x, err := e.waitForSuccess(ctx, requestWith("submitPaymentReceipt", "ersReference", placed.inv.ErsReference),
		func() error { return e.transcript.parkedError("invoices", placed.key.Shop, placed.key.Invoice) })
	if !e.noteResult("submitPaymentReceipt is accepted", e.withOutcome(err, "submitPaymentReceipt"), "", x) {
		return
	}
	e.noteStep("it comes after PAID", !x.At.Before(paid.ended()), "", paid, x)
	e.checkRules(contextRules([]*recorded{x}), x)
	e.checkRules(documentRules(x), x)
	_, err = e.waitForEvent(ctx, placed.key, events.EventReceipted)
	e.noteResult("the receipt is recorded", err, "")
}
