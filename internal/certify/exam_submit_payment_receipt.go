package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// submitPaymentReceipt tests that a receipt is sent after PAID, with a mimeType that fits its content.
func submitPaymentReceipt(e *exam, ctx context.Context) {
	placed, ok := e.order(ctx, stepSend, row("Certification item", 1, 2))
	if !ok {
		return
	}
	paid, ok := e.scannedAndPaid(ctx, &placed, false)
	if !ok {
		return
	}
	x, err := e.accepted(ctx, requestWith("submitPaymentReceipt", "ersReference", placed.inv.ErsReference),
		func() error { return e.transcript.parkedError("invoices", placed.key.Shop, placed.key.Invoice) })
	if !e.did("submitPaymentReceipt is accepted", e.because(err, "submitPaymentReceipt"), "", x) {
		return
	}
	e.step("it comes after PAID", !x.At.Before(paid.ended()), "", paid, x)
	e.rules(contextRules([]*recorded{x}), x)
	e.rules(documentRules(x), x)
	_, err = e.event(ctx, placed.key, events.EventReceipted)
	e.did("the receipt is recorded", err, "")
}
