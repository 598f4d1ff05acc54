package shopsim

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// WooOrder is an order as the REST API and the webhooks have it. Dates are without a zone: in the shop's time, and in UTC (…GMT).
type WooOrder struct {
	ID                 int64           `json:"id"`
	Number             string          `json:"number"`
	OrderKey           string          `json:"order_key"`
	CreatedVia         string          `json:"created_via"`
	Status             string          `json:"status"`
	Currency           string          `json:"currency"`
	DateCreated        string          `json:"date_created"`
	DateCreatedGMT     string          `json:"date_created_gmt"`
	DateModified       string          `json:"date_modified"`
	DateModifiedGMT    string          `json:"date_modified_gmt"`
	DatePaid           *string         `json:"date_paid"`
	DatePaidGMT        *string         `json:"date_paid_gmt"`
	DiscountTotal      string          `json:"discount_total"`
	DiscountTax        string          `json:"discount_tax"`
	ShippingTotal      string          `json:"shipping_total"`
	ShippingTax        string          `json:"shipping_tax"`
	CartTax            string          `json:"cart_tax"`
	Total              string          `json:"total"`
	TotalTax           string          `json:"total_tax"`
	PricesIncludeTax   bool            `json:"prices_include_tax"`
	Billing            json.RawMessage `json:"billing"` // made-up personal data, which must not get into events
	PaymentMethod      string          `json:"payment_method"`
	PaymentMethodTitle string          `json:"payment_method_title"`
	TransactionID      string          `json:"transaction_id"`
	NeedsPayment       bool            `json:"needs_payment"`
	NeedsProcessing    bool            `json:"needs_processing"`
	LineItems          []WooLine       `json:"line_items"`
	TaxLines           []WooTaxLine    `json:"tax_lines"`
	ShippingLines      []WooCharge     `json:"shipping_lines"`
	FeeLines           []WooCharge     `json:"fee_lines"`
	CouponLines        []WooCoupon     `json:"coupon_lines"`
	Refunds            []WooRefund     `json:"refunds"`
}

// WooLine is a row of goods. Totals are without tax; the subtotal is before the discount.
type WooLine struct {
	ID          int64       `json:"id"`
	Name        string      `json:"name"`
	Quantity    json.Number `json:"quantity"`
	Subtotal    string      `json:"subtotal"`
	SubtotalTax string      `json:"subtotal_tax"`
	Total       string      `json:"total"`
	TotalTax    string      `json:"total_tax"`
	Taxes       []WooTax    `json:"taxes"`
	SKU         string      `json:"sku"`
	Price       json.Number `json:"price"`
}

// WooCharge is a row of shipping (with a method_title) or a fee (with a name).
type WooCharge struct {
	ID          int64    `json:"id"`
	MethodTitle string   `json:"method_title,omitempty"`
	Name        string   `json:"name,omitempty"`
	Total       string   `json:"total"`
	TotalTax    string   `json:"total_tax"`
	Taxes       []WooTax `json:"taxes"`
}

// WooTax is the tax of one rate in a row, not rounded.
type WooTax struct {
	ID       int64  `json:"id"`
	Total    string `json:"total"`
	Subtotal string `json:"subtotal,omitempty"`
}

// WooTaxLine is the tax of one rate in the whole order.
type WooTaxLine struct {
	ID               int64       `json:"id"`
	RateCode         string      `json:"rate_code"`
	RateID           int64       `json:"rate_id"`
	Label            string      `json:"label"`
	TaxTotal         string      `json:"tax_total"`
	ShippingTaxTotal string      `json:"shipping_tax_total"`
	RatePercent      json.Number `json:"rate_percent"`
}

// WooCoupon is a discount that is already taken off the rows.
type WooCoupon struct {
	ID          int64  `json:"id"`
	Code        string `json:"code"`
	Discount    string `json:"discount"`
	DiscountTax string `json:"discount_tax"`
}

// WooRefund is a refund as an order lists it; the total is negative.
type WooRefund struct {
	ID     int64  `json:"id"`
	Reason string `json:"reason"`
	Total  string `json:"total"`
}

// WooNote is a note that the shopkeeper sees in the order.
type WooNote struct {
	ID           int64  `json:"id"`
	Author       string `json:"author"`
	DateCreated  string `json:"date_created"`
	Note         string `json:"note"`
	CustomerNote bool   `json:"customer_note"`
}

const (
	wooTime  = "2006-01-02T15:04:05"
	wooTrash = "trash" // the status of an order in the trash
)

// wooJSON encodes as PHP does: a slash has a backslash before it, and what is not ASCII is a \u escape.
func wooJSON(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("shopsim: an edited order is no JSON: " + err.Error())
	}
	var out []byte
	for _, r := range strings.TrimSpace(b.String()) {
		switch {
		case r == '/':
			out = append(out, `\/`...)
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
	}
	return out
}

// wooTill adds up the rows of an order. Amounts are exact until the total is rounded.
type wooTill struct {
	o         *WooOrder
	nextID    func() int64
	digits    int
	net       decimal.Decimal // all rows
	tax       decimal.Decimal // all rows, rounded for each row
	cartTax   decimal.Decimal
	discounts [2]decimal.Decimal // net, tax
}

// newWooOrder gives the order of a cart, without what the shop's clock and numbers add.
func newWooOrder(c Cart, pricesIncludeTax bool, nextID func() int64) *WooOrder {
	o := &WooOrder{
		ID: nextID(), OrderKey: "wc_order_" + strings.ToLower(rand.Text()[:13]), CreatedVia: "checkout", Status: "pending",
		Currency: c.Currency, PricesIncludeTax: pricesIncludeTax, PaymentMethod: c.PaymentMethod, PaymentMethodTitle: strings.ToUpper(c.PaymentMethod),
		NeedsProcessing: true, LineItems: []WooLine{}, TaxLines: []WooTaxLine{}, ShippingLines: []WooCharge{}, FeeLines: []WooCharge{},
		CouponLines: []WooCoupon{}, Refunds: []WooRefund{},
	}
	o.Number = fmt.Sprint(o.ID)
	o.Billing = json.RawMessage(fmt.Sprintf(`{"first_name":"Buyer","last_name":"Canary-%[1]d","email":"buyer-%[1]d@example.invalid","phone":"+4600000%[1]d"}`, o.ID))
	if c.Draft {
		o.Status, o.CreatedVia = "checkout-draft", "store-api"
	}
	t := &wooTill{o: o, nextID: nextID, digits: digitsOf(c.Currency)}
	for _, item := range c.Items {
		t.item(item, c.Discount)
	}
	var shipping, shippingTax decimal.Decimal
	for _, ch := range c.Shipping {
		row, net, tax := t.charge(ch, true)
		row.MethodTitle = ch.Name
		o.ShippingLines = append(o.ShippingLines, row)
		shipping, shippingTax = add(shipping, net), add(shippingTax, tax)
	}
	for _, ch := range c.Fees {
		row, _, tax := t.charge(ch, false)
		row.Name = ch.Name
		o.FeeLines = append(o.FeeLines, row)
		t.cartTax = add(t.cartTax, tax)
	}
	o.ShippingTotal, o.ShippingTax = t.text(shipping), t.text(shippingTax)
	o.DiscountTotal, o.DiscountTax = t.text(t.discounts[0]), t.text(t.discounts[1])
	if c.Discount != "" {
		o.CouponLines = []WooCoupon{{ID: nextID(), Code: "less" + c.Discount, Discount: o.DiscountTotal, DiscountTax: o.DiscountTax}}
	}
	o.CartTax, o.TotalTax = t.text(t.cartTax), t.text(t.tax)
	o.Total = t.text(sub(add(t.net, t.tax), num(c.GiftCard)))
	o.refresh()
	return o
}

func (t *wooTill) text(d decimal.Decimal) string { return round(d, t.digits).String() }

// item adds a row of goods.
func (t *wooTill) item(item Item, discount string) {
	if item.Quantity == "" {
		item.Quantity = "1"
	}
	before := mul(num(item.Price), num(item.Quantity))
	net, tax := t.split(lessDiscount(before, discount, t.digits), item.TaxRate)
	netBefore, taxBefore := t.split(before, item.TaxRate)
	price := net
	if quantity := num(item.Quantity); !quantity.IsZero() {
		price = quo(net, quantity)
	}
	t.o.LineItems = append(t.o.LineItems, WooLine{
		ID: t.nextID(), Name: item.Name, SKU: item.SKU, Quantity: json.Number(item.Quantity), Price: json.Number(price.Trim(0).String()),
		Subtotal: t.text(netBefore), SubtotalTax: t.text(taxBefore), Total: t.text(net), TotalTax: t.text(tax),
		Taxes: t.taxes(item.TaxRate, tax, taxBefore, false),
	})
	rounded := round(tax, t.digits)
	t.net, t.tax, t.cartTax = add(t.net, net), add(t.tax, rounded), add(t.cartTax, rounded)
	t.discounts[0], t.discounts[1] = add(t.discounts[0], sub(netBefore, net)), add(t.discounts[1], sub(taxBefore, tax))
}

// split gives the net amount and the tax of an amount that is entered as the shop enters prices.
func (t *wooTill) split(amount decimal.Decimal, rate string) (net, tax decimal.Decimal) {
	tax = taxOf(amount, rate, t.o.PricesIncludeTax)
	if t.o.PricesIncludeTax {
		return sub(amount, tax), tax
	}
	return amount, tax
}

// charge adds shipping or a fee: these are entered without tax.
func (t *wooTill) charge(c Charge, shipping bool) (row WooCharge, net, tax decimal.Decimal) {
	net = num(c.Amount)
	exact := taxOf(net, c.TaxRate, false)
	tax = round(exact, t.digits)
	t.net, t.tax = add(t.net, net), add(t.tax, tax)
	return WooCharge{ID: t.nextID(), Total: t.text(net), TotalTax: t.text(tax), Taxes: t.taxes(c.TaxRate, exact, exact, shipping)}, net, tax
}

// taxes gives the taxes of a row, and adds them to the order's tax lines.
func (t *wooTill) taxes(rate string, tax, before decimal.Decimal, shipping bool) []WooTax {
	if rate == "" {
		return []WooTax{}
	}
	i := slices.IndexFunc(t.o.TaxLines, func(l WooTaxLine) bool { return l.RatePercent.String() == rate })
	if i < 0 {
		i = len(t.o.TaxLines)
		t.o.TaxLines = append(t.o.TaxLines, WooTaxLine{
			ID: t.nextID(), RateID: int64(i + 1), RateCode: fmt.Sprintf("SE-VAT-%d", i+1), Label: "VAT", RatePercent: json.Number(rate),
			TaxTotal: t.text(decimal.Decimal{}), ShippingTaxTotal: t.text(decimal.Decimal{}),
		})
	}
	line := &t.o.TaxLines[i]
	if shipping {
		line.ShippingTaxTotal = t.text(add(num(line.ShippingTaxTotal), round(tax, t.digits)))
	} else {
		line.TaxTotal = t.text(add(num(line.TaxTotal), round(tax, t.digits)))
	}
	return []WooTax{{ID: line.RateID, Total: tax.Trim(0).String(), Subtotal: before.Trim(0).String()}}
}

// refresh sets what follows from the other fields.
func (o *WooOrder) refresh() {
	o.NeedsPayment = (o.Status == "pending" || o.Status == "failed") && num(o.Total).IsPos()
}

// refunded gives the sum of the refunds, above zero.
func (o *WooOrder) refunded() decimal.Decimal {
	var sum decimal.Decimal
	for _, r := range o.Refunds {
		sum = sub(sum, num(r.Total))
	}
	return sum
}

// clone gives a copy that shares nothing which is changed.
func (o *WooOrder) clone() WooOrder {
	c := *o
	c.LineItems, c.ShippingLines, c.FeeLines = slices.Clone(o.LineItems), slices.Clone(o.ShippingLines), slices.Clone(o.FeeLines)
	c.TaxLines, c.CouponLines, c.Refunds = slices.Clone(o.TaxLines), slices.Clone(o.CouponLines), slices.Clone(o.Refunds)
	return c
}
