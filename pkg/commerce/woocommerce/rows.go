package woocommerce

import (
	"errors"
	"fmt"
	"html"
	"strings"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// list is one of the lists of an order that its rows are made of.
type list struct {
	field   string
	lines   []line
	unnamed string // the description of a row without a name
}

// rows gives the rows, which sum to the total, and of each the field of the payload that it was made of.
func (o *order) rows(total events.Amount) (rows []events.Row, sources []string, err error) {
	digits, ok := events.CurrencyDigits(string(o.Currency))
	if !ok {
		return nil, nil, o.refuse("currency", "expected an ISO 4217 code such as SEK, got "+o.Currency.Shown())
	}
	for _, l := range []list{
		{"line_items", o.LineItems, "Item"},
		{"shipping_lines", o.ShippingLines, "Shipping"},
		{"fee_lines", o.FeeLines, "Fee"},
	} {
		for i, line := range l.lines {
			source := fmt.Sprintf("%s[%d]", l.field, i)
			row, err := o.row(line, l, digits)
			if err != nil {
				var field fieldError
				errors.As(err, &field)
				return nil, nil, o.refuse(source+"."+field.name, field.Error())
			}
			if row.Quantity.IsZero() {
				if row.Total.IsZero() {
					continue // nothing was sold
				}
				row.Quantity = decimal.One
			}
			rows, sources = append(rows, row), append(sources, source)
		}
	}
	summed, err := o.sumTo(total, rows, digits)
	return summed, sources, err
}

// fieldError says what is wrong with a field of a line.
type fieldError struct {
	name string
	error
}

// row makes a row of a line. What it costs is its total and its tax together.
func (o *order) row(l line, of list, digits int) (events.Row, error) {
	row := events.Row{Description: commerce.Described(html.UnescapeString(string(l.Name)), html.UnescapeString(string(l.MethodTitle)), string(l.SKU), of.unnamed),
		Quantity: decimal.One, SKU: commerce.Clip(string(l.SKU), events.MaxID)}
	net, err := l.Total.Decimal()
	if err != nil {
		return row, fieldError{"total", err}
	}
	tax, err := orZero(l.TotalTax)
	if err != nil {
		return row, fieldError{"total_tax", err}
	}
	if of.field == "line_items" {
		if row.Quantity, err = l.Quantity.Decimal(); err != nil {
			return row, fieldError{"quantity", err}
		}
		row.Quantity = row.Quantity.Trim(0)
	}
	row.Total = gross(net, tax, digits)
	row.TaxRate = o.taxRate(l.Taxes, net, tax)
	if l.Subtotal != "" {
		o.addPrice(&row, l, digits)
	}
	return row, nil
}

// addPrice adds what is only shown: the price of one before discounts, where it is exact, and the discount.
func (o *order) addPrice(row *events.Row, l line, digits int) {
	net, err := l.Subtotal.Decimal()
	if err != nil {
		return
	}
	tax, err := orZero(l.SubtotalTax)
	if err != nil {
		return
	}
	before := gross(net, tax, digits)
	if off := before.Sub(row.Total); off.Sign() > 0 {
		row.Discount = &off
	}
	if row.Quantity.IsZero() {
		return
	}
	one, err := before.Decimal().Quo(row.Quantity)
	if err != nil || one.MinScale() > digits {
		return
	}
	price := events.AmountOf(one.Trim(digits).Pad(digits))
	row.UnitPrice = &price
}

// gross is what is to be paid with tax, in whole units of the currency's last digit.
func gross(net, tax decimal.Decimal, digits int) events.Amount {
	return events.AmountOf(commerce.Round(events.AmountOf(net).Add(events.AmountOf(tax)).Decimal(), digits))
}

func orZero(t commerce.Text) (decimal.Decimal, error) {
	if t == "" {
		return decimal.Decimal{}, nil
	}
	return t.Decimal()
}

// taxRate is the rate of the tax in per cent, as the shop states it: a quotient of rounded amounts would be another. Where
// several rates apply to one line it is their sum, if that explains the tax. It does not where a negative fee is spread
// over lines with different rates, nor where one tax is taken of another; then there is no rate.
func (o *order) taxRate(taxes []tax, net, total decimal.Decimal) *decimal.Decimal {
	var rates, ofNothing []decimal.Decimal
	for _, t := range taxes {
		amount, err := t.Total.Decimal()
		if err != nil {
			continue // "": the rate does not apply
		}
		rate, ok := o.rate(t.ID)
		switch {
		case !ok:
			return nil
		case amount.IsZero():
			ofNothing = append(ofNothing, rate)
		default:
			rates = append(rates, rate)
		}
	}
	if len(rates) == 0 && len(ofNothing) == 1 {
		rates = ofNothing // nothing costs nothing, or the rate is 0
	}
	sum, err := decimal.Sum(append(rates, decimal.Zero)...)
	switch {
	case err != nil, len(rates) == 0, sum.IsNeg(), sum.Cmp(decimal.Hundred) > 0:
		return nil
	case len(rates) > 1 && !explains(sum, net, total, len(rates)):
		return nil
	}
	sum = sum.Trim(0)
	return &sum
}

// explains says whether rate per cent of net is the tax, give or take a cent for each of n taxes.
func explains(rate, net, tax decimal.Decimal, n int) bool {
	expected, err := net.Mul(rate)
	if err != nil {
		return false
	}
	hundredfold, err := tax.Mul(decimal.Hundred)
	if err != nil {
		return false
	}
	off, err := hundredfold.Sub(expected)
	return err == nil && off.CmpAbs(decimal.MustNew(int64(n), 0)) <= 0
}

// rate finds the per cent of a tax rate.
func (o *order) rate(id commerce.Text) (decimal.Decimal, bool) {
	for _, t := range o.TaxLines {
		if t.RateID == id {
			d, err := t.RatePercent.Decimal()
			return d, err == nil
		}
	}
	return decimal.Decimal{}, false
}

// sumTo makes the rows sum to the total. A gift card lowers the total without a line of its own; where the payload has what
// was taken from gift cards, and the sums agree with it, it is a row.
func (o *order) sumTo(total events.Amount, rows []events.Row, digits int) ([]events.Row, error) {
	step := min(total.Decimal().Scale(), digits) // a shop that shows no decimals calculates without them
	summed, err := commerce.AddRounding(rows, total, step)
	if err == nil {
		return summed, nil
	}
	withCards := rows[:len(rows):len(rows)]
	for _, g := range o.GiftCards {
		if d, err := g.Amount.Decimal(); err == nil && d.IsPos() {
			off := events.AmountOf(commerce.Round(d, digits)).Neg()
			withCards = append(withCards, events.Row{Description: "Gift card", Quantity: decimal.One, Total: off})
		}
	}
	if len(withCards) > len(rows) {
		if summed, err := commerce.AddRounding(withCards, total, step); err == nil {
			return summed, nil
		}
	}
	var refusal *commerce.Refusal
	errors.As(err, &refusal)
	return nil, o.refuse("total", refusal.Expected)
}

// placedSource gives the payload's field for a field of the order event.
func placedSource(path string, sources []string) string {
	switch path {
	case "orderId":
		return "id"
	case "title":
		return "number"
	case "rows":
		return "line_items"
	}
	var i int
	if n, err := fmt.Sscanf(path, "rows[%d]", &i); n != 1 || err != nil {
		return path // the same name in both
	}
	_, field, _ := strings.Cut(path, ".")
	if i >= len(sources) {
		return "total"
	}
	return strings.TrimSuffix(sources[i]+"."+rowSource[field], ".")
}

// rowSource are the names of a row's fields in a line.
var rowSource = map[string]string{
	"description": "name", "quantity": "quantity", "unitPrice": "subtotal", "discount": "subtotal", "total": "total", "taxRate": "taxes", "sku": "sku",
}
