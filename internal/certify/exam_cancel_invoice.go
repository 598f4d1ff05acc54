package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// cancelInvoice tests that an invoice is canceled after its status was asked for.
func cancelInvoice(e *exam, ctx context.Context) {
	placed, ok := e.order(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.unscanned(ctx, placed) {
		return
	}
	if !e.did("the shop cancels the order", e.cancel(ctx, placed.key), "") {
		return
	}
	cancel := requestWith("cancelInvoice", "invoiceReference", placed.inv.InvoiceReference)
	_, err := e.accepted(ctx, cancel,
		func() error { return e.transcript.parkedError("orders", placed.key.Shop, placed.key.Invoice) })
	calls := e.transcript.list(cancel)
	if !e.did("cancelInvoice is accepted", e.because(err, "cancelInvoice"), outcomes(calls), calls...) {
		return
	}
	e.rules(contextRules(calls), calls...)
	_, err = e.event(ctx, placed.key, events.EventCanceled)
	e.did("the cancellation is recorded", err, "")
}
