package woocommerce

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// payload is what is read of an order: nothing of the buyer but the order's key.
type payload struct {
	ID            commerce.Text `json:"id"`
	Number        commerce.Text `json:"number"` // as the shop shows it: often the id, but a plugin may make any text of it
	OrderKey      commerce.Text `json:"order_key" known:"-"`
	Status        commerce.Text `json:"status"`
	Currency      commerce.Text `json:"currency"`
	Total         commerce.Text `json:"total"`
	PaymentMethod commerce.Text `json:"payment_method"`
	DatePaid      commerce.Text `json:"date_paid"`
	TransactionID commerce.Text `json:"transaction_id"`
	LineItems     []line        `json:"line_items"`
	ShippingLines []line        `json:"shipping_lines"`
	FeeLines      []line        `json:"fee_lines"`
	TaxLines      []taxLine     `json:"tax_lines"`
	GiftCards     []giftCard    `json:"gift_cards"` // of the Gift Cards extension
	Refunds       []refund      `json:"refunds"`
	MetaData      []meta        `json:"meta_data" known:"-"` // plugins keep anything there
}

// line is a product, a shipping method or a fee.
type line struct {
	Name        commerce.Text `json:"name"`
	MethodTitle commerce.Text `json:"method_title"` // of shipping
	SKU         commerce.Text `json:"sku"`
	Quantity    commerce.Text `json:"quantity"`
	Subtotal    commerce.Text `json:"subtotal"` // before discounts, without tax
	SubtotalTax commerce.Text `json:"subtotal_tax"`
	Total       commerce.Text `json:"total"` // after discounts, without tax, also in shops whose prices include it
	TotalTax    commerce.Text `json:"total_tax"`
	Taxes       []tax         `json:"taxes"`
}

type tax struct {
	ID    commerce.Text `json:"id"`    // rate_id of a tax line
	Total commerce.Text `json:"total"` // not rounded; "" where the rate does not apply
}

type taxLine struct {
	RateID      commerce.Text `json:"rate_id"`
	RatePercent commerce.Text `json:"rate_percent"`
}

type giftCard struct {
	Amount commerce.Text `json:"amount"`
}

type refund struct {
	ID     commerce.Text `json:"id"`
	Reason reason        `json:"reason"`
	Total  commerce.Text `json:"total"` // negative
}

// reason is what a person has written of a refund. Of a request that is kept for a replay it has the mark alone: people write names in
// it, and without the mark the replay would pay the refund back once more.
type reason string

// UnmarshalJSON reads it as a [commerce.Text].
func (r *reason) UnmarshalJSON(b []byte) error { return (*commerce.Text)(r).UnmarshalJSON(b) }

// Kept implements [commerce.Partly].
func (reason) Kept(value json.RawMessage) (json.RawMessage, bool) {
	var r reason
	if json.Unmarshal(value, &r) != nil || !r.isMarked() {
		return nil, false
	}
	kept, err := json.Marshal(RefundMark)
	return kept, err == nil
}

// isMarked says whether the money has gone back already.
func (r reason) isMarked() bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(string(r))), RefundMark)
}

// meta is a value that a plugin, or seqrflow, has stored with the order.
type meta struct {
	Key   commerce.Text `json:"key"`
	Value commerce.Text `json:"value"`
}

// metaInvoice is the key of the order's meta data under which seqrflow stores the id of the invoice that was paid.
const metaInvoice = "_seqrflow_invoice"

// paidInvoice is the invoice that seqrflow has stored with the order; "" for none.
func (p *payload) paidInvoice() string {
	for _, m := range p.MetaData {
		if m.Key == metaInvoice {
			return string(m.Value)
		}
	}
	return ""
}

func readPayload(body []byte) (payload, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		id, _ := p.ID.ID()
		return p, unreadable(id, err)
	}
	if _, err := p.ID.ID(); err != nil {
		return p, &commerce.Refusal{Field: "id", Expected: err.Error()}
	}
	return p, nil
}

// unreadable is the refusal of a body that is not JSON of the expected shape.
func unreadable(order string, err error) error {
	r := &commerce.Refusal{Order: order, Field: "body", Expected: "expected a JSON object: " + err.Error()}
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return r
	}
	r.Expected = "expected a JSON object, got " + kind.Value
	if kind.Type.Kind() == reflect.Slice {
		r.Expected = "expected a JSON list, got " + kind.Value
	}
	if kind.Field != "" {
		r.Field = kind.Field
	}
	return r
}
