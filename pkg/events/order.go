package events

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/govalues/decimal"
)

// OrderName is the name of an event of an order: the last token of its subject on ORDERS.
type OrderName string

// The events of an order.
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
	InvoiceID string   `json:"invoiceId,omitempty" jsonschema:"minLength=1,maxLength=200,description=Names a second try at paying the same order; the order's id unless given"`
	Shop      string   `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	Currency  string   `json:"currency" jsonschema:"pattern=^[A-Z]{3}$,description=ISO 4217 code"`
	Total     Amount   `json:"total" jsonschema:"description=What the buyer pays; the rows sum to it"`
	Rows      []Row    `json:"rows" jsonschema:"minItems=1,maxItems=500"`
	Title     string   `json:"title,omitempty" jsonschema:"maxLength=500,description=What the buyer sees above the rows"`
	BackURL   string   `json:"backUrl,omitempty" jsonschema:"minLength=1,maxLength=2000,description=Opens on the buyer's phone afterwards; http or https or an app's own scheme"`
	CashierID string   `json:"cashierId,omitempty" jsonschema:"maxLength=200"`
	ValidFor  Duration `json:"validFor,omitempty" jsonschema:"description=How long the buyer may take (1s to 30 days); then the invoice expires"`

	// BuyerKeyHash lets the buyer open the checkout page with a secret that the shop's system made. The secret itself is in no event.
	BuyerKeyHash string `json:"buyerKeyHash,omitempty" jsonschema:"pattern=^[0-9a-f]{64}$,description=SHA-256 (lower-case hex) of a secret of this order that the shop's system has given to the buyer"`

	// Unknown are fields of an order read from an invoice's event; a published order's are left out.
	Unknown UnknownFields `json:"-"`
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

	Unknown UnknownFields `json:"-"`
}

// Cancellation is the data of orders.<shop>.<order>.canceled: cancel, or refund if paid, unless KeepPaid.
type Cancellation struct {
	OrderID   string `json:"orderId" jsonschema:"minLength=1,maxLength=200"`
	InvoiceID string `json:"invoiceId,omitempty" jsonschema:"minLength=1,maxLength=200"`
	Shop      string `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	Reason    string `json:"reason,omitempty" jsonschema:"maxLength=500"`

	// KeepPaid ends what is open and refunds nothing: for a system that says an order is gone, but not whether it was paid.
	KeepPaid bool `json:"keepPaid,omitempty" jsonschema:"description=An invoice that is paid stays paid; only an open one is canceled"`
}

// Return is the data of orders.<shop>.<order>.returned: refund all of it or part of it.
type Return struct {
	OrderID   string  `json:"orderId" jsonschema:"minLength=1,maxLength=200"`
	InvoiceID string  `json:"invoiceId,omitempty" jsonschema:"minLength=1,maxLength=200"`
	Shop      string  `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	RefundID  string  `json:"refundId" jsonschema:"minLength=1,maxLength=200,description=The shop's id of this refund; the same id never pays twice"`
	Amount    *Amount `json:"amount,omitempty" jsonschema:"description=What to pay back; all (or no amount and no rows) is all that is left"`
	Currency  string  `json:"currency,omitempty" jsonschema:"pattern=^[A-Z]{3}$,description=The invoice's; an ISO 4217 code"`
	Rows      []Row   `json:"rows,omitempty" jsonschema:"minItems=1,maxItems=500,description=What came back; the rows sum to the amount"`
	Reason    string  `json:"reason,omitempty" jsonschema:"maxLength=500"`

	// All says that the shop asks for all that is left; then, and only then, there is no Amount.
	All bool `json:"-"`
}

// AsksTheSame says whether the two orders are the same for the buyer: what is to be paid, and for what. An order that is placed again
// with other contents is a mistake that a person has to see.
func (o Order) AsksTheSame(other Order) bool {
	return slices.Equal(o.asks(), other.asks())
}

func (o Order) asks() []string {
	out := []string{o.Currency, o.Total.Decimal().Trim(0).String()}
	for _, r := range o.Rows {
		out = append(out, r.Description, r.Quantity.Trim(0).String(), r.Total.Decimal().Trim(0).String())
	}
	return out
}

// Key of the invoice that the order is paid by: the order's id names it unless the event has an invoiceId.
func (o Order) Key() Key { return KeyOf(o.Shop, cmp.Or(o.InvoiceID, o.OrderID)) }

// Key of the invoice to cancel.
func (c Cancellation) Key() Key { return KeyOf(c.Shop, cmp.Or(c.InvoiceID, c.OrderID)) }

// Key of the invoice to refund.
func (r Return) Key() Key { return KeyOf(r.Shop, cmp.Or(r.InvoiceID, r.OrderID)) }

// DecodeOrder reads and checks a placed order; the error is all [Problems] at once.
func DecodeOrder(m Message) (Order, error) {
	r, ps := m.open(Placed)
	r.checkFields(placedRules)
	o := Order{OrderID: r.id("orderId"), InvoiceID: r.name("invoiceId", false), Shop: r.name("shop", true)}
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
	if o.BuyerKeyHash = r.text("buyerKeyHash", false, maxText); o.BuyerKeyHash != "" && !isHash(o.BuyerKeyHash) {
		r.note("buyerKeyHash", "expected a SHA-256 in 64 lower-case hex digits")
	}
	return o, ps.orNil()
}

// isHash says whether s is a SHA-256 in lower-case hex.
func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
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
	c := Cancellation{OrderID: r.id("orderId"), InvoiceID: r.name("invoiceId", false), Shop: r.name("shop", true)}
	m.matches(r, c.Shop, c.OrderID)
	c.Reason, c.KeepPaid = r.text("reason", false, maxText), r.flag("keepPaid")
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
