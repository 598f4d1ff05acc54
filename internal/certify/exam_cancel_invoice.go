package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// cancelInvoice tests that an invoice is canceled after its status was asked for.
func cancelInvoice(e *exam, ctx context.Context) {
	placed, ok := e.placeOrder(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.statusUnscanned(ctx, placed) {
		return
	}
	if !e.noteResult("the shop cancels the order", e.cancel(ctx, placed.key), "") {
		return
	}
	cancel := requestWith("cancelInvoice", "invoiceReference", placed.inv.InvoiceReference)
	_, err := e.waitForSuccess(ctx, cancel,
		func() error { return e.transcript.parkedError("orders", placed.key.Shop, placed.key.Invoice) })
	calls := e.transcript.list(cancel)
	if !e.noteResult("cancelInvoice is accepted", e.withOutcome(err, "cancelInvoice"), outcomes(calls), calls...) {
		return
	}
	e.checkRules(contextRules(calls), calls...)
	_, err = e.waitForEvent(ctx, placed.key, events.EventCanceled)
	e.noteResult("the cancellation is recorded", err, "")
}
