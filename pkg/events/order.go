package events

import (
	"cmp"
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

// Cancellation is the data of orders.<shop>.<order>.canceled: cancel, or refund if paid.
type Cancellation struct {
	OrderID   string `json:"orderId" jsonschema:"minLength=1,maxLength=200"`
	InvoiceID string `json:"invoiceId,omitempty" jsonschema:"minLength=1,maxLength=200"`
	Shop      string `json:"shop" jsonschema:"minLength=1,maxLength=200"`
	Reason    string `json:"reason,omitempty" jsonschema:"maxLength=500"`
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

// Key of the invoice that the order is paid by: the order's id names it unless the event has an invoiceId.
func (o Order) Key() Key { return KeyOf(o.Shop, cmp.Or(o.InvoiceID, o.OrderID)) }

// Key of the invoice to cancel.
func (c Cancellation) Key() Key { return KeyOf(c.Shop, cmp.Or(c.InvoiceID, c.OrderID)) }

// Key of the invoice to refund.
func (r Return) Key() Key { return KeyOf(r.Shop, cmp.Or(r.InvoiceID, r.OrderID)) }
