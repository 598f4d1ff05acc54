package shopify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// translateOrder decides what an order asks for as it is now.
func (in Inbound) translateOrder(r commerce.Request) (commerce.Translation, error) {
	var o order
	if err := decode(r.Body, &o); err != nil {
		return commerce.Translation{}, err
	}
	id, err := o.ID.ID()
	if err != nil {
		return commerce.Translation{}, &commerce.Refusal{Field: "id", Expected: err.Error()}
	}
	switch {
	case !slices.ContainsFunc(o.Gateways, in.ours):
		return commerce.Ignored(id, "the payment methods are %s, not one of %s", commerce.Text(strings.Join(o.Gateways, ", ")).Shown(), strings.Join(in.Gateways, ", ")), nil
	case o.Test:
		return commerce.Ignored(id, "a test order: no money is taken for it"), nil
	case o.CancelledAt != "":
		return in.translateCancelled(r.Shop, id, o)
	}
	switch o.FinancialStatus {
	case "pending", "partially_paid":
		return in.translateUnpaid(r.Shop, id, o)
	case "authorized", "expired", "paid", "partially_refunded", "refunded", "voided":
		return commerce.Ignored(id, "there is no payment to take: the order is %s in the shop", o.FinancialStatus), nil
	}
	return commerce.Translation{}, &commerce.Refusal{
		Order: id, Field: "financial_status",
		Expected: "expected pending, authorized, partially_paid, paid, partially_refunded, refunded, voided or expired, got " + commerce.Text(o.FinancialStatus).Shown(),
	}
}

// translateCancelled ends the invoice of a canceled order. What is paid back of a paid order is the shop's decision, which
// refunds/create brings: such a cancellation keeps what is paid, and ends only an invoice that is still open.
func (in Inbound) translateCancelled(shop, id string, o order) (commerce.Translation, error) {
	c := events.Cancellation{OrderID: id, Shop: shop, Reason: "canceled in the shop"}
	c.KeepPaid = slices.Contains([]string{"paid", "partially_refunded", "refunded"}, o.FinancialStatus) ||
		o.FinancialStatus == "partially_paid" && in.onlyOurs(o)
	if slices.Contains([]string{"customer", "declined", "fraud", "inventory", "staff"}, o.CancelReason) {
		c.Reason += ": " + o.CancelReason
	}
	return commerce.Translation{Order: id, Events: []commerce.Event{commerce.Canceled(c)}}, nil
}

// onlyOurs says that no other payment method has a part in the order.
func (in Inbound) onlyOurs(o order) bool {
	return !slices.ContainsFunc(o.Gateways, func(g string) bool { return !in.ours(g) })
}

// translateUnpaid places the order for what is outstanding of it.
func (in Inbound) translateUnpaid(shop, id string, o order) (commerce.Translation, error) {
	l := &ledger{order: id}
	l.chooseMoney(in.Presentment, o)
	total, outstanding := l.totals(o)
	switch {
	case l.refusal != nil:
		return commerce.Translation{}, l.refusal
	case total.IsZero():
		return commerce.Ignored(id, "a free order: there is nothing to pay"), nil
	case outstanding.IsZero():
		return commerce.Ignored(id, "nothing is outstanding"), nil
	}
	l.addLines(o)
	l.addShipping(o)
	l.addOthers(o)
	l.round(total)
	l.addPaid(o, total, outstanding, in.onlyOurs(o))
	if l.refusal != nil {
		return commerce.Translation{}, l.refusal
	}
	placed := commerce.Placed(events.Order{
		OrderID: id, Shop: shop, Currency: l.currency, Total: events.AmountOf(outstanding.Trim(l.digits)), Rows: l.rows,
		Title: commerce.Described(o.Name), BuyerKeyHash: commerce.BuyerKeyHash(o.Token),
	})
	if err := placed.Check(shop, l.source); err != nil {
		return commerce.Translation{}, err
	}
	return commerce.Translation{Order: id, Events: []commerce.Event{placed}}, nil
}

var (
	orderFields = map[string]string{"orderId": "id", "title": "name", "total": "total_outstanding", "rows": "line_items"}
	rowFields   = map[string]string{"description": "title", "taxRate": "tax_lines", "unitPrice": "price", "discount": "discount_allocations"}
)

// source gives the path in the payload of what the order event has at a path of its own.
func (l *ledger) source(path string) string {
	var i int
	if n, _ := fmt.Sscanf(path, "rows[%d]", &i); n == 1 && i < len(l.paths) {
		_, field, _ := strings.Cut(path, "].")
		if !strings.HasSuffix(l.paths[i], "]") {
			return l.paths[i] // a row of one amount
		}
		return l.paths[i] + "." + cmp.Or(rowFields[field], field)
	}
	return cmp.Or(orderFields[path], path)
}
