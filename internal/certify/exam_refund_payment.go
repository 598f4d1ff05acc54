package certify

import (
	"context"
	"fmt"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// refundPayment: what was paid goes back to the buyer, once.
func refundPayment(e *exam, ctx context.Context) {
	b, ok := e.order(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.unscanned(ctx, b) {
		return
	}
	paid, ok := e.scannedAndPaid(ctx, &b, false)
	if !ok {
		return
	}
	back := events.Return{OrderID: b.inv.OrderID, Shop: shop, RefundID: "certify", Reason: "certification procedure"}
	err := e.bus.PublishOrder(ctx, "/seqrflow/certify", shop, b.inv.OrderID, b.inv.OrderID+"-returned", events.Returned, back)
	if !e.did("the shop takes everything back", err, "") {
		return
	}
	inv, err := e.event(ctx, b.key, events.EventRefunded, events.EventRefundFailed, events.EventRefundUnknown)
	calls := e.tape.list(func(x *recorded) bool {
		return x.Operation == "refundPayment" && x.request.word("ersReference") == b.inv.ErsReference
	})
	if err == nil && inv.Change.Event != events.EventRefunded {
		err = fmt.Errorf("%s: %s", inv.Change.Event, inv.Change.Why)
	}
	if err == nil && len(calls) != 1 {
		err = fmt.Errorf("expected one refundPayment of %s, got %d", b.inv.ErsReference, len(calls))
	}
	if err != nil {
		e.did("refundPayment is accepted", e.because(err, "refundPayment"), "", calls...)
		return
	}
	x := calls[0]
	e.step("refundPayment is accepted", x.answered(seqr.Success), x.outcome(), x)
	e.rules(contextRules(calls), x)
	e.step("it names the payment and comes after PAID", !x.At.Before(paid.ended()), "ersReference "+b.inv.ErsReference, paid, x)
	ref := x.response.word("ersReference")
	e.step("the refund has an ersReference of its own", ref != "" && ref != b.inv.ErsReference, quoted(ref), x)
	total := x.request.at("invoice", "totalAmount")
	amount, readable := amountOf(total)
	e.step("it gives back what was paid", readable && amount.Cmp(b.inv.Total.Decimal()) == 0 && total.word("currency") == b.inv.Currency,
		quoted(total.word("value"))+" "+total.word("currency"), x)
}
