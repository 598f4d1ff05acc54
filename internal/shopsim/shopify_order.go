package shopsim

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/govalues/decimal"
)

// ShopifyOrder is an order as the webhooks have it.
type ShopifyOrder struct {
	ID                  int64           `json:"id"`
	GraphQLID           string          `json:"admin_graphql_api_id"`
	Name                string          `json:"name"`
	Token               string          `json:"token"`
	CreatedAt           string          `json:"created_at"`
	UpdatedAt           string          `json:"updated_at"`
	CancelledAt         *string         `json:"cancelled_at"`
	CancelReason        *string         `json:"cancel_reason"`
	Currency            string          `json:"currency"`
	PresentmentCurrency string          `json:"presentment_currency"`
	TotalPrice          string          `json:"total_price"`
	CurrentTotalPrice   string          `json:"current_total_price"`
	TotalOutstanding    string          `json:"total_outstanding"`
	TotalTax            string          `json:"total_tax"`
	TotalDiscounts      string          `json:"total_discounts"`
	TotalTipReceived    string          `json:"total_tip_received"`
	TaxesIncluded       bool            `json:"taxes_included"`
	FinancialStatus     string          `json:"financial_status"`
	PaymentGatewayNames []string        `json:"payment_gateway_names"`
	Test                bool            `json:"test"`
	OrderStatusURL      string          `json:"order_status_url"`
	Note                string          `json:"note"`
	Tags                string          `json:"tags"`
	Customer            json.RawMessage `json:"customer"` // made-up personal data, which must not get into events
	LineItems           []ShopifyLine   `json:"line_items"`
	ShippingLines       []ShopifyLine   `json:"shipping_lines"`

	refunded decimal.Decimal
}

// ShopifyLine is a row of goods (with a quantity and a price of one), or of shipping (with neither quantity nor SKU).
type ShopifyLine struct {
	ID                  int64        `json:"id"`
	Title               string       `json:"title"`
	VariantTitle        string       `json:"variant_title,omitempty"`
	Quantity            int64        `json:"quantity,omitempty"`
	CurrentQuantity     int64        `json:"current_quantity,omitempty"`
	SKU                 string       `json:"sku,omitempty"`
	Price               string       `json:"price"`
	DiscountedPrice     string       `json:"discounted_price,omitempty"`
	DiscountAllocations []Allocation `json:"discount_allocations"`
	TaxLines            []ShopifyTax `json:"tax_lines"`
}

// Allocation is the part of a discount that is taken off a row.
type Allocation struct {
	Amount string `json:"amount"`
}

// ShopifyTax is the tax of one rate in a row; the rate is a fraction, such as 0.25.
type ShopifyTax struct {
	Title string      `json:"title"`
	Price string      `json:"price"`
	Rate  json.Number `json:"rate"`
}

// newShopifyOrder gives the order of a cart, without what the shop's clock and name add.
func newShopifyOrder(c Cart, taxesIncluded bool, nextID func() int64) *ShopifyOrder {
	digits := digitsOf(c.Currency)
	o := &ShopifyOrder{
		ID: nextID(), Token: strings.ToLower(rand.Text()), Currency: c.Currency, PresentmentCurrency: c.Currency, TaxesIncluded: taxesIncluded,
		FinancialStatus: "pending", PaymentGatewayNames: []string{c.PaymentMethod}, LineItems: []ShopifyLine{}, ShippingLines: []ShopifyLine{},
	}
	o.GraphQLID = fmt.Sprintf("gid://shopify/Order/%d", o.ID)
	o.Customer = json.RawMessage(fmt.Sprintf(`{"first_name":"Buyer","last_name":"Canary-%[1]d","email":"buyer-%[1]d@example.invalid"}`, o.ID))
	var total, taxes, discounts decimal.Decimal
	tax := func(amount decimal.Decimal, rate string) []ShopifyTax {
		total = add(total, amount)
		if rate == "" {
			return []ShopifyTax{}
		}
		price := round(taxOf(amount, rate, taxesIncluded), digits)
		if taxes = add(taxes, price); !taxesIncluded {
			total = add(total, price)
		}
		return []ShopifyTax{{"VAT", price.String(), json.Number(quo(num(rate), hundred).Trim(0).String())}}
	}
	for _, item := range c.Items {
		quantity := one
		if item.Quantity != "" {
			quantity = num(item.Quantity)
		}
		count, _, _ := quantity.Int64(0)
		l := ShopifyLine{ID: nextID(), Title: item.Name, SKU: item.SKU, Quantity: count, CurrentQuantity: count, Price: round(num(item.Price), digits).String(), DiscountAllocations: []Allocation{}}
		before := mul(num(item.Price), quantity)
		after := lessDiscount(before, c.Discount, digits)
		if off := sub(before, after); !off.IsZero() {
			l.DiscountAllocations, discounts = []Allocation{{off.String()}}, add(discounts, off)
		}
		l.TaxLines = tax(after, item.TaxRate)
		o.LineItems = append(o.LineItems, l)
	}
	for _, ch := range c.Shipping {
		price := round(num(ch.Amount), digits)
		o.ShippingLines = append(o.ShippingLines, ShopifyLine{
			ID: nextID(), Title: ch.Name, Price: price.String(), DiscountedPrice: price.String(), DiscountAllocations: []Allocation{}, TaxLines: tax(price, ch.TaxRate),
		})
	}
	total = add(total, num(c.Tip))
	text := func(d decimal.Decimal) string { return round(d, digits).String() }
	o.TotalPrice, o.TotalTax, o.TotalDiscounts, o.TotalTipReceived = text(total), text(taxes), text(discounts), text(num(c.Tip))
	o.CurrentTotalPrice, o.TotalOutstanding = o.TotalPrice, text(sub(total, num(c.GiftCard)))
	if c.GiftCard != "" {
		o.FinancialStatus, o.PaymentGatewayNames = "partially_paid", []string{"gift_card", c.PaymentMethod}
	}
	return o
}

// clone gives a copy that shares nothing which is changed.
func (o *ShopifyOrder) clone() ShopifyOrder {
	c := *o
	c.LineItems, c.ShippingLines, c.PaymentGatewayNames = slices.Clone(o.LineItems), slices.Clone(o.ShippingLines), slices.Clone(o.PaymentGatewayNames)
	return c
}
