package certify

import (
	"context"
	"fmt"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// refundPayment tests that a payment is paid back in full, once.
func refundPayment(e *exam, ctx context.Context) {
	placed, ok := e.placeOrder(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.statusUnscanned(ctx, placed) {
		return
	}
	paid, ok := e.payAndWait(ctx, &placed, false)
	if !ok {
		return
	}
	back := events.Return{OrderID: placed.inv.OrderID, Shop: shop, RefundID: "certify", Reason: "certification procedure"}
	err := e.bus.PublishOrder(ctx, "/seqrflow/certify", shop, placed.inv.OrderID, placed.inv.OrderID+"-returned", events.Returned, back)
	if !e.noteResult("the shop takes everything back", err, "") {
		return
	}
	inv, err := e.waitForEvent(ctx, placed.key, events.EventRefunded, events.EventRefundFailed, events.EventRefundUnknown)
	calls := e.transcript.list(requestWith("refundPayment", "ersReference", placed.inv.ErsReference))
	if err == nil && inv.Change.Event != events.EventRefunded {
		err = fmt.Errorf("%s: %s", inv.Change.Event, inv.Change.Why)
	}
	if err == nil && len(calls) != 1 {
		err = fmt.Errorf("expected one refundPayment of %s, got %d", placed.inv.ErsReference, len(calls))
	}
	if err != nil {
		e.noteResult("refundPayment is accepted", e.withOutcome(err, "refundPayment"), "", calls...)
		return
	}
	x := calls[0]
	e.noteStep("refundPayment is accepted", x.answered(seqr.Success), x.outcome(), x)
	e.checkRules(contextRules(calls), x)
	e.noteStep("it names the payment and comes after PAID", !x.At.Before(paid.ended()), "ersReference "+placed.inv.ErsReference, paid, x)
	ref := x.response.word("ersReference")
	e.noteStep("the refund has an ersReference of its own", ref != "" && ref != placed.inv.ErsReference, quoted(ref), x)
	total := x.request.at("invoice", "totalAmount")
	amount, err := decimal.Parse(total.word("value"))
	e.noteStep("it gives back what was paid", err == nil && amount.Cmp(placed.inv.Total.Decimal()) == 0 && total.word("currency") == placed.inv.Currency,
		quoted(total.word("value"))+" "+total.word("currency"), x)
}
