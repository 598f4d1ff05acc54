package shopsim

import (
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Cart is what a buyer orders. Amounts, quantities and rates are decimal strings; it panics in Place if one is not.
type Cart struct {
	Items         []Item
	Shipping      []Charge
	Fees          []Charge // WooCommerce only; may be negative
	Discount      string   // per cent off the items: a coupon or a discount code
	GiftCard      string   // paid with a gift card: the total (WooCommerce) or what is outstanding (Shopify) is lower by this
	Tip           string   // Shopify only
	Currency      string   // the shop's unless given
	PaymentMethod string   // the shop's payment method for SEQR unless given
	Draft         bool     // WooCommerce only: the buyer is still at the checkout
}

// Item is one row of goods.
type Item struct {
	Name, SKU string
	Price     string // of one, before discounts, with or without tax as the shop has its prices
	Quantity  string // 1 unless given
	TaxRate   string // per cent; "" for none
}

// Charge is a cost of shipping or a fee, without tax in WooCommerce, and as the prices in Shopify.
type Charge struct{ Name, Amount, TaxRate string }

var (
	one       = decimal.MustNew(1, 0)
	hundred   = decimal.MustNew(100, 0)
	taxDigits = 6
)

// num reads a decimal that a test or the demo has written; "" is zero.
func num(s string) decimal.Decimal {
	if s == "" {
		return decimal.Decimal{}
	}
	return decimal.MustParse(s)
}

func must(d decimal.Decimal, err error) decimal.Decimal {
	if err != nil {
		panic("shopsim: " + err.Error())
	}
	return d
}

func add(a decimal.Decimal, more ...decimal.Decimal) decimal.Decimal {
	for _, b := range more {
		a = must(a.Add(b))
	}
	return a
}

func sub(a, b decimal.Decimal) decimal.Decimal { return must(a.Sub(b)) }
func mul(a, b decimal.Decimal) decimal.Decimal { return must(a.Mul(b)) }
func quo(a, b decimal.Decimal) decimal.Decimal { return must(a.Quo(b)) }

// round rounds half away from zero, as shops do.
func round(d decimal.Decimal, digits int) decimal.Decimal {
	unit := must(decimal.New(5, digits+1))
	return must(d.Add(unit.CopySign(d))).Trunc(digits).Pad(digits)
}

func digitsOf(currency string) int {
	n, ok := events.CurrencyDigits(currency)
	if !ok {
		panic("shopsim: no such currency: " + currency)
	}
	return n
}

// taxOf gives the tax in an amount that has it inside, or on top of one that has not. It is not rounded to the currency's digits.
func taxOf(amount decimal.Decimal, rate string, inside bool) decimal.Decimal {
	percent := num(rate)
	if inside {
		return round(quo(mul(amount, percent), add(hundred, percent)), taxDigits)
	}
	return round(quo(mul(amount, percent), hundred), taxDigits)
}

// lessDiscount gives the amount of a row after a discount in per cent.
func lessDiscount(amount decimal.Decimal, discount string, digits int) decimal.Decimal {
	return sub(amount, round(quo(mul(amount, num(discount)), hundred), digits))
}
