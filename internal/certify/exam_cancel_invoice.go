package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
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
	about := func(x *recorded) bool {
		return x.Operation == "cancelInvoice" && x.request.word("invoiceReference") == placed.inv.InvoiceReference
	}
	_, err := e.call(ctx, func(x *recorded) bool { return about(x) && x.answered(seqr.Success) },
		func() error { return e.transcript.parkedError("orders", placed.key.Shop, placed.key.Invoice) })
	calls := e.transcript.list(about)
	if !e.did("cancelInvoice is accepted", e.because(err, "cancelInvoice"), list(calls), calls...) {
		return
	}
	e.rules(contextRules(calls), calls...)
	_, err = e.event(ctx, placed.key, events.EventCanceled)
	e.did("the cancellation is recorded", err, "")
}
