package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// cancelInvoice: an invoice whose status was asked for is taken back.
func cancelInvoice(e *exam, ctx context.Context) {
	b, ok := e.order(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.unscanned(ctx, b) {
		return
	}
	if !e.did("the shop cancels the order", e.cancel(ctx, b.key), "") {
		return
	}
	about := func(x *recorded) bool {
		return x.Operation == "cancelInvoice" && x.request.word("invoiceReference") == b.inv.InvoiceReference
	}
	_, err := e.call(ctx, func(x *recorded) bool { return about(x) && x.answered(seqr.Success) },
		func() error { return e.tape.stuck("orders", b.key.Shop, b.key.Invoice) })
	calls := e.tape.list(about)
	if !e.did("cancelInvoice is accepted", e.because(err, "cancelInvoice"), list(calls), calls...) {
		return
	}
	e.rules(contextRules(calls), calls...)
	_, err = e.event(ctx, b.key, events.EventCanceled)
	e.did("the cancellation is recorded", err, "")
}
