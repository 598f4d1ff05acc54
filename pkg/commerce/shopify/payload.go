package shopify

import (
	"cmp"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// order has what is read of the payload of orders/create, orders/updated and the like.
type order struct {
	ID                  commerce.Text  `json:"id"`
	Name                string         `json:"name"`
	Token               string         `json:"token" known:"-"`
	Test                bool           `json:"test"`
	Currency            string         `json:"currency"`
	PresentmentCurrency string         `json:"presentment_currency"`
	TaxesIncluded       bool           `json:"taxes_included"`
	FinancialStatus     string         `json:"financial_status"`
	Gateways            []string       `json:"payment_gateway_names"`
	CancelledAt         commerce.Text  `json:"cancelled_at"`
	CancelReason        string         `json:"cancel_reason"`
	Total               commerce.Text  `json:"total_price"`
	TotalSet            *moneySet      `json:"total_price_set"`
	CurrentTotal        commerce.Text  `json:"current_total_price"`
	CurrentTotalSet     *moneySet      `json:"current_total_price_set"`
	Outstanding         commerce.Text  `json:"total_outstanding"`
	Tip                 commerce.Text  `json:"total_tip_received"`
	Duties              *moneySet      `json:"current_total_duties_set"`
	Fees                *moneySet      `json:"current_total_additional_fees_set"`
	Lines               []line         `json:"line_items"`
	Shipping            []shippingLine `json:"shipping_lines"`
}

type line struct {
	Title           string          `json:"title"`
	VariantTitle    string          `json:"variant_title"`
	SKU             string          `json:"sku"`
	Quantity        commerce.Text   `json:"quantity"`
	CurrentQuantity commerce.Text   `json:"current_quantity"`
	Price           commerce.Text   `json:"price"`
	PriceSet        *moneySet       `json:"price_set"`
	Allocations     []allocation    `json:"discount_allocations"`
	TaxLines        []taxLine       `json:"tax_lines"`
	Duties          []duty          `json:"duties"`
	Tip             json.RawMessage `json:"tip"` // an object where the line is a tip
}

type shippingLine struct {
	Title         string        `json:"title"`
	Removed       bool          `json:"is_removed"`
	Price         commerce.Text `json:"price"`
	PriceSet      *moneySet     `json:"price_set"`
	Discounted    commerce.Text `json:"discounted_price"`
	DiscountedSet *moneySet     `json:"discounted_price_set"`
	Allocations   []allocation  `json:"discount_allocations"`
	TaxLines      []taxLine     `json:"tax_lines"`
}

type allocation struct {
	Amount    commerce.Text `json:"amount"`
	AmountSet *moneySet     `json:"amount_set"`
}

type taxLine struct {
	Price    commerce.Text `json:"price"`
	PriceSet *moneySet     `json:"price_set"`
	Rate     commerce.Text `json:"rate"` // a fraction: 0.25
}

type duty struct {
	TaxLines []taxLine `json:"tax_lines"`
}

// moneySet is one sum in the shop's currency and in the currency that the buyer saw.
type moneySet struct {
	Shop        money `json:"shop_money"`
	Presentment money `json:"presentment_money"`
}

type money struct {
	Amount   commerce.Text `json:"amount"`
	Currency string        `json:"currency_code"`
}

// refund has what is read of the payload of refunds/create. A person's note on it is left out: it may name the customer.
type refund struct {
	ID           commerce.Text `json:"id"`
	OrderID      commerce.Text `json:"order_id"`
	Transactions []transaction `json:"transactions"`
}

type transaction struct {
	Kind     string        `json:"kind"`
	Status   string        `json:"status"`
	Gateway  string        `json:"gateway"`
	Test     bool          `json:"test"`
	Amount   commerce.Text `json:"amount"`
	Currency string        `json:"currency"`
}

// kinds are JSON's names of the types that payloads are read into.
var kinds = map[reflect.Kind]string{reflect.String: "text", reflect.Bool: "true or false", reflect.Slice: "a list", reflect.Struct: "an object"}

// decode reads a payload; the error is a *commerce.Refusal that names the field where it can.
func decode(body []byte, payload any) error {
	err := json.Unmarshal(body, payload)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return &commerce.Refusal{Order: roughID(body), Field: wrongType.Field, Expected: "expected " + kinds[wrongType.Type.Kind()] + ", got " + wrongType.Value}
	}
	return &commerce.Refusal{Field: "body", Expected: "expected a JSON object: " + err.Error()}
}

// roughID gives the order's id of a payload that can't be read as a whole; "" where it has none.
func roughID(body []byte) string {
	var ids struct {
		ID      commerce.Text `json:"id"`
		OrderID commerce.Text `json:"order_id"`
	}
	_ = json.Unmarshal(body, &ids) // what could be read is set
	id, err := cmp.Or(ids.OrderID, ids.ID).ID()
	if err != nil {
		return ""
	}
	return id
}
