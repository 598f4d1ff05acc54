package events

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/govalues/decimal"
)

// OrderName is the last token of an ORDERS subject.
type OrderName string

// What commerce systems may say of an order.
const (
	Placed        OrderName = "placed"
	OrderCanceled OrderName = "canceled"
	Returned      OrderName = "returned"
)

// Limits of what an order may hold. The provider's own are not published; these keep one order
// from delaying the others.
const (
	MaxOrderBytes = 256 << 10
	MaxRows       = 500
	MaxID         = 200
	MinValidFor   = time.Second
	MaxValidFor   = 30 * 24 * time.Hour
	maxText       = 500
	maxURL        = 2000
)

// Order is the data of orders.<shop>.<order>.placed: take payment for this order.
type Order struct {
	OrderID   string   `json:"orderId" jsonschema:"minLength=1,maxLength=200,description=The shop's own id of the order"`
	InvoiceID string   `json:"invoiceId,omitempty" jsonschema:"maxLength=200,description=Names a second try at paying the same order; the order's id unless given"`
	Shop      string   `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	Currency  string   `json:"currency" jsonschema:"pattern=^[A-Z]{3}$,description=ISO 4217 code"`
	Total     Amount   `json:"total" jsonschema:"description=What the buyer pays; the rows sum to it"`
	Rows      []Row    `json:"rows" jsonschema:"minItems=1,maxItems=500"`
	Title     string   `json:"title,omitempty" jsonschema:"maxLength=500,description=What the buyer sees above the rows"`
	BackURL   string   `json:"backUrl,omitempty" jsonschema:"maxLength=2000,description=Opens on the buyer's phone afterwards; http or https or an app's own scheme"`
	CashierID string   `json:"cashierId,omitempty" jsonschema:"maxLength=200"`
	ValidFor  Duration `json:"validFor,omitempty" jsonschema:"description=How long the buyer may take (1s to 30 days); then the invoice expires"`
}

// Row is one line of an order or of a return. A negative total is a discount.
type Row struct {
	Description string           `json:"description" jsonschema:"minLength=1,maxLength=500"`
	Quantity    decimal.Decimal  `json:"quantity" jsonschema:"description=Not zero; a decimal string or a JSON number"`
	UnitPrice   *Amount          `json:"unitPrice,omitempty"`
	Total       Amount           `json:"total"`
	TaxRate     *decimal.Decimal `json:"taxRate,omitempty" jsonschema:"description=Per cent: 25 means 25 %; 0 to 100"`
	SKU         string           `json:"sku,omitempty" jsonschema:"maxLength=200"`
	EAN         string           `json:"ean,omitempty" jsonschema:"maxLength=200"`
	Unit        string           `json:"unit,omitempty" jsonschema:"maxLength=200"`
	Discount    *Amount          `json:"discount,omitempty" jsonschema:"description=Already taken off the row's total"`
}

// Cancellation is the data of orders.<shop>.<order>.canceled: cancel, or refund if paid.
type Cancellation struct {
	OrderID   string `json:"orderId" jsonschema:"minLength=1,maxLength=200"`
	InvoiceID string `json:"invoiceId,omitempty" jsonschema:"maxLength=200"`
	Shop      string `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	Reason    string `json:"reason,omitempty" jsonschema:"maxLength=500"`
}

// Return is the data of orders.<shop>.<order>.returned: refund all of it or part of it.
type Return struct {
	OrderID   string  `json:"orderId" jsonschema:"minLength=1,maxLength=200"`
	InvoiceID string  `json:"invoiceId,omitempty" jsonschema:"maxLength=200"`
	Shop      string  `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	RefundID  string  `json:"refundId" jsonschema:"minLength=1,maxLength=200,description=The shop's id of this refund; the same id never pays twice"`
	Amount    *Amount `json:"amount,omitempty" jsonschema:"description=What to pay back, in the order's currency; all that is left unless given here or by rows"`
	Rows      []Row   `json:"rows,omitempty" jsonschema:"maxItems=500,description=What came back; the rows sum to the amount"`
	Reason    string  `json:"reason,omitempty" jsonschema:"maxLength=500"`
}

// Invoice that the order is paid by: the order's id unless the event names another.
func (o Order) Key() Key { return KeyOf(o.Shop, or(o.InvoiceID, o.OrderID)) }

// Key of the invoice to cancel.
func (c Cancellation) Key() Key { return KeyOf(c.Shop, or(c.InvoiceID, c.OrderID)) }

// Key of the invoice to refund.
func (r Return) Key() Key { return KeyOf(r.Shop, or(r.InvoiceID, r.OrderID)) }

// DecodeOrder reads and checks a placed order; the error is all [Problems] at once.
func DecodeOrder(m Message) (Order, error) {
	r, ps := m.open(Placed)
	o := Order{OrderID: r.text("orderId", true, MaxID), InvoiceID: r.text("invoiceId", false, MaxID), Shop: r.text("shop", true, MaxID)}
	m.matches(r, o.Shop, o.OrderID)
	o.Currency = r.text("currency", true, 3)
	if _, ok := CurrencyDigits(o.Currency); !ok && o.Currency != "" {
		r.note("currency", "expected an ISO 4217 code such as SEK, got %q", o.Currency)
	}
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
	if u, err := url.Parse(o.BackURL); o.BackURL != "" && (err != nil || u.Scheme == "") {
		r.note("backUrl", "expected an absolute URL, got %q", clip(o.BackURL, 80))
	}
	o.ValidFor = Duration(r.duration("validFor", MinValidFor, MaxValidFor))
	return o, ps.orNil()
}

// DecodeCancellation reads and checks a canceled order.
func DecodeCancellation(m Message) (Cancellation, error) {
	r, ps := m.open(OrderCanceled)
	c := Cancellation{OrderID: r.text("orderId", true, MaxID), InvoiceID: r.text("invoiceId", false, MaxID), Shop: r.text("shop", true, MaxID)}
	m.matches(r, c.Shop, c.OrderID)
	c.Reason = r.text("reason", false, maxText)
	return c, ps.orNil()
}

// reserved are the refundIds of what follows from a late payment and from a canceled order.
var reserved = []string{"late", "cancel", "cancel-rest"}

// DecodeReturn reads and checks a return. Whether the amount has too many digits for the currency
// shows only beside the invoice: see [Return.Due].
func DecodeReturn(m Message) (Return, error) {
	r, ps := m.open(Returned)
	t := Return{OrderID: r.text("orderId", true, MaxID), InvoiceID: r.text("invoiceId", false, MaxID), Shop: r.text("shop", true, MaxID)}
	m.matches(r, t.Shop, t.OrderID)
	t.RefundID, t.Reason = r.text("refundId", true, MaxID), r.text("reason", false, maxText)
	if slices.Contains(reserved, t.RefundID) && m.source() != "/seqrflow/canceler" {
		r.note("refundId", "expected an id of the shop's own: %q is reserved for refunds that seqrflow asks for itself", t.RefundID)
	}
	t.Amount = r.amount("amount", "", false)
	var sum *Amount
	t.Rows, sum = readRows(r, "", false)
	if t.Amount == nil && len(t.Rows) > 0 {
		t.Amount = sum
	}
	if t.Amount != nil && t.Amount.Sign() <= 0 {
		r.note("amount", "expected more than 0, got %s", t.Amount)
	}
	if sum != nil && t.Amount != nil && sum.Cmp(*t.Amount) != 0 {
		r.note("amount", "the rows sum to %s, not to %s", sum, t.Amount)
	}
	return t, ps.orNil()
}

// Due is what the return asks for: its amount, or all that is left of the invoice.
func (t Return) Due(inv Invoice) (Amount, error) {
	if t.Amount == nil {
		return inv.Remaining(), nil
	}
	if n, ok := CurrencyDigits(inv.Currency); ok && t.Amount.d.Scale() > n {
		return Amount{}, Problem{"amount", fmt.Sprintf("expected at most %d digits after the point for %s, got %s", n, inv.Currency, t.Amount)}
	}
	return *t.Amount, nil
}

// readRows gives the rows and, when every total could be read, their sum.
func readRows(r reader, currency string, required bool) ([]Row, *Amount) {
	list := r.list("rows", required)
	switch {
	case len(list) == 0:
		if required && r.raw("rows", false) != nil {
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
