package shopify

import (
	"fmt"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// translateRefund pays back what the refund has for our payment methods. A person may pay back by a gift card or by hand: those
// transactions are not ours, and a refund without one of ours asks for nothing.
func (in Inbound) translateRefund(r commerce.Request) (commerce.Translation, error) {
	var f refund
	if err := decode(r.Body, &f); err != nil {
		return commerce.Translation{}, err
	}
	order, err := f.OrderID.ID()
	if err != nil {
		return commerce.Translation{}, &commerce.Refusal{Field: "order_id", Expected: err.Error()}
	}
	id, err := f.ID.ID()
	if err != nil {
		return commerce.Translation{}, &commerce.Refusal{Order: order, Field: "id", Expected: err.Error()}
	}
	l := &ledger{order: order}
	sum := in.refunded(l, f)
	switch {
	case l.refusal != nil:
		return commerce.Translation{}, l.refusal
	case sum.IsZero():
		return commerce.Ignored(order, "the refund %s has no transaction of a payment method of this connection: there is nothing to pay back", id), nil
	}
	amount := events.AmountOf(sum)
	back := commerce.Returned(events.Return{OrderID: order, Shop: r.Shop, RefundID: id, Amount: &amount, Currency: l.currency})
	if err := back.Check(r.Shop, func(path string) string { return "transactions[]." + path }); err != nil {
		return commerce.Translation{}, err
	}
	return commerce.Translation{Order: order, Events: []commerce.Event{back}}, nil
}

// refunded gives the sum of our transactions. A manual payment method's are a success at once. One that is pending may still fail, and
// Shopify sends the refund only once, so a person has to decide about it.
func (in Inbound) refunded(l *ledger, f refund) (sum decimal.Decimal) {
	for i, t := range f.Transactions {
		path := fmt.Sprintf("transactions[%d]", i)
		if t.Kind != "refund" || t.Test || !in.ours(t.Gateway) {
			continue
		}
		switch t.Status {
		case "success":
		case "failure", "error":
			continue
		default:
			l.refuse(path+".status", "expected success, failure or error, got %s: a person has to decide whether to pay it back", commerce.Text(t.Status).Shown())
		}
		switch {
		case t.Currency == "":
			l.refuse(path+".currency", "missing")
		case l.currency != "" && t.Currency != l.currency:
			l.refuse(path+".currency", "expected %s as in the transaction before, got %s", l.currency, commerce.Text(t.Currency).Shown())
		}
		l.currency = t.Currency
		amount := l.read(path+".amount", t.Amount)
		if amount.Sign() <= 0 {
			l.refuse(path+".amount", "expected more than 0, got %s", t.Amount.Shown())
		}
		sum = l.plus(path+".amount", sum, amount)
	}
	return sum
}
