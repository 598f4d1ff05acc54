package certify

import (
	"context"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// submitPaymentReceipt: after PAID, with a mimeType that fits what is sent.
func submitPaymentReceipt(e *exam, ctx context.Context) {
	b, ok := e.order(ctx, stepSend, row("Certification item", 1, 2))
	if !ok {
		return
	}
	paid, ok := e.scannedAndPaid(ctx, &b, false)
	if !ok {
		return
	}
	x, err := e.call(ctx, func(x *recorded) bool {
		return x.Operation == "submitPaymentReceipt" && x.request.word("ersReference") == b.inv.ErsReference && x.answered(seqr.Success)
	}, func() error { return e.tape.stuck("invoices", b.key.Shop, b.key.Invoice) })
	if !e.did("submitPaymentReceipt is accepted", e.because(err, "submitPaymentReceipt"), "", x) {
		return
	}
	e.step("it comes after PAID", !x.At.Before(paid.ended()), "", paid, x)
	e.rules(contextRules([]*recorded{x}), x)
	e.rules(documentRules(x), x)
	_, err = e.event(ctx, b.key, events.EventReceipted)
	e.did("the receipt is recorded", err, "")
}
