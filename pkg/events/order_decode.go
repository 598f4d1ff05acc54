package events

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/govalues/decimal"
)

// DecodeOrder reads and checks a placed order; the error is all [Problems] at once.
func DecodeOrder(m Message) (Order, error) {
	r, ps := m.open(Placed)
	r.checkFields(placedRules)
	o := Order{OrderID: r.id("orderId"), InvoiceID: r.text("invoiceId", false, MaxID), Shop: r.text("shop", true, MaxID)}
	m.matches(r, o.Shop, o.OrderID)
	o.Currency = r.currency(true)
	total := r.amount("total", o.Currency, true)
	if total != nil {
		if o.Total = *total; o.Total.Sign() <= 0 {
			r.note("total", "expected more than 0, got %s", o.Total)
		}
	}
	var sum *Amount
	o.Rows, sum = readRows(r, o.Currency, true)
	if sum != nil && total != nil && sum.Cmp(o.Total) != 0 {
		r.note("total", "the rows sum to %s, not to %s", sum.In(o.Currency), o.Total.In(o.Currency))
	}
	o.Title, o.CashierID = r.text("title", false, maxText), r.text("cashierId", false, MaxID)
	o.BackURL = r.text("backUrl", false, maxURL)
	checkBackURL(r, o.BackURL)
	o.ValidFor = Duration(r.duration("validFor", MinValidFor, MaxValidFor))
	return o, ps.orNil()
}

// refusedSchemes are those of URLs that run or open something on the buyer's device instead of a page or an app.
var refusedSchemes = []string{"javascript", "data", "vbscript", "file"}

func checkBackURL(r reader, s string) {
	switch u, err := url.Parse(s); {
	case s == "":
	case err != nil || u.Scheme == "":
		r.note("backUrl", "expected an absolute URL, got %q", clip(s, 80))
	case slices.Contains(refusedSchemes, u.Scheme):
		r.note("backUrl", "expected http, https or an app's own scheme, got %q", u.Scheme)
	}
}

// DecodeCancellation reads and checks a canceled order.
func DecodeCancellation(m Message) (Cancellation, error) {
	r, ps := m.open(OrderCanceled)
	r.checkFields(canceledRules)
	c := Cancellation{OrderID: r.id("orderId"), InvoiceID: r.text("invoiceId", false, MaxID), Shop: r.text("shop", true, MaxID)}
	m.matches(r, c.Shop, c.OrderID)
	c.Reason = r.text("reason", false, maxText)
	return c, ps.orNil()
}

// readRows gives the rows and, when every total could be read, their sum.
func readRows(r reader, currency string, required bool) ([]Row, *Amount) {
	list := r.list("rows", required)
	switch {
	case len(list) == 0:
		if v := r.raw("rows", false); v != nil && v[0] == '[' {
			r.note("rows", "expected at least one row")
		}
		return nil, nil
	case len(list) > MaxRows:
		r.note("rows", "expected at most %d rows, got %d", MaxRows, len(list))
		return nil, nil
	}
	rows, sum, whole := make([]Row, len(list)), Amount{}, true
	for i, body := range list {
		row, ok := readRow(readObject(r.path(fmt.Sprintf("rows[%d]", i)), body, r.problems), currency)
		rows[i], whole = row, whole && ok
		sum = sum.Add(row.Total)
	}
	if !whole {
		return rows, nil
	}
	return rows, &sum
}

func readRow(r reader, currency string) (row Row, ok bool) {
	row.Description = r.text("description", true, maxText)
	if q := r.number("quantity", true); q != nil {
		if row.Quantity = *q; q.IsZero() {
			r.note("quantity", "expected a quantity that is not 0")
		}
	}
	total := r.amount("total", currency, true)
	if total != nil {
		row.Total = *total
	}
	row.UnitPrice = r.amount("unitPrice", currency, false)
	row.Discount = r.amount("discount", currency, false)
	row.TaxRate = r.number("taxRate", false)
	if t := row.TaxRate; t != nil && (t.IsNeg() || t.Cmp(decimal.Hundred) > 0) {
		r.note("taxRate", "expected 0 to 100 per cent, got %s", t)
	}
	row.SKU, row.EAN, row.Unit = r.text("sku", false, MaxID), r.text("ean", false, MaxID), r.text("unit", false, MaxID)
	return row, total != nil
}
