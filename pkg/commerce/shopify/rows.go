package shopify

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// most is more than any row of an order costs: sums of so many rows as an order may have don't overflow.
var most = decimal.MustNew(1_000_000_000_000, 0)

// add appends a row whose total is rounded to the currency's digits.
func (l *ledger) add(path string, r events.Row, total decimal.Decimal) {
	if total.CmpAbs(most) >= 0 {
		l.refuse(path, "expected less than %s, got %s", most, total)
		return
	}
	r.Total = events.AmountOf(commerce.Round(total, l.digits))
	l.rows, l.paths = append(l.rows, r), append(l.paths, path)
}

// addLines adds a row for each line that is still part of the order. A line's discounts and taxes are for all that was ordered of
// it: where some was removed since, the rest has its share of them.
func (l *ledger) addLines(o order) {
	if n := len(o.Lines) + len(o.Shipping); n > events.MaxRows {
		l.refuse("line_items", "expected at most %d with shipping_lines, got %d", events.MaxRows, n)
		return
	}
	for i, line := range o.Lines {
		path := fmt.Sprintf("line_items[%d]", i)
		ordered, left := l.quantities(path, line)
		if left.IsZero() {
			continue
		}
		share := func(d decimal.Decimal) decimal.Decimal {
			if ordered.Cmp(left) == 0 {
				return d
			}
			return l.over(path, l.times(path, d, left), ordered)
		}
		price := l.amount(path+".price", line.Price, line.PriceSet)
		discount := share(l.discounts(path, line.Allocations))
		net := l.minus(path, l.times(path, price, left), discount)
		tax, rate := l.taxes(path, line.TaxLines, o.TaxesIncluded, net)
		row := events.Row{Description: description(line), Quantity: left, SKU: commerce.Clip(line.SKU, events.MaxID), TaxRate: rate}
		if tax.IsZero() && price.MinScale() <= l.digits && discount.MinScale() <= l.digits { // else they don't explain the row's total
			unit := events.AmountOf(price.Trim(l.digits))
			row.UnitPrice = &unit
			if !discount.IsZero() {
				off := events.AmountOf(discount.Trim(l.digits))
				row.Discount = &off
			}
		}
		l.add(path, row, l.plus(path, net, share(tax)))
	}
}

func description(l line) string {
	return commerce.Described(strings.TrimSuffix(l.Title+", "+l.VariantTitle, ", "), l.SKU)
}

// quantities gives how many were ordered of a line, and how many are left of them.
func (l *ledger) quantities(path string, line line) (ordered, left decimal.Decimal) {
	ordered = l.read(path+".quantity", line.Quantity)
	left = ordered
	if line.CurrentQuantity != "" {
		left = l.read(path+".current_quantity", line.CurrentQuantity)
	}
	switch {
	case ordered.IsNeg():
		l.refuse(path+".quantity", "expected at least 0, got %s", ordered)
	case left.IsNeg() || left.Cmp(ordered) > 0:
		l.refuse(path+".current_quantity", "expected 0 to %s, got %s", ordered, left)
	}
	return ordered, left
}

// discounts gives what all discounts take off.
func (l *ledger) discounts(path string, allocations []allocation) (sum decimal.Decimal) {
	for i, a := range allocations {
		field := fmt.Sprintf("%s.discount_allocations[%d].amount", path, i)
		sum = l.plus(field, sum, l.amount(field, a.Amount, a.AmountSet))
	}
	return sum
}

// taxes gives the tax that comes on top of a row's net amount, and the row's rate in per cent. Shopify charges each tax line of a row
// on the whole row (a state's, a county's), so the rate is their sum. A tax line without an amount was not charged.
func (l *ledger) taxes(path string, lines []taxLine, included bool, net decimal.Decimal) (onTop decimal.Decimal, rate *decimal.Decimal) {
	var sum decimal.Decimal
	for i, t := range lines {
		field := fmt.Sprintf("%s.tax_lines[%d]", path, i)
		price := l.amount(field+".price", t.Price, t.PriceSet)
		if !included {
			onTop = l.plus(field+".price", onTop, price)
		}
		if price.IsZero() && !net.IsZero() {
			continue
		}
		sum = l.plus(field+".rate", sum, l.rate(field+".rate", t.Rate))
	}
	if len(lines) == 0 {
		return onTop, nil
	}
	sum = l.times(path, sum, decimal.Hundred).Trim(0)
	return onTop, &sum
}

// rate reads a fraction such as 0.25, which JSON may also have as 2.5e-1.
func (l *ledger) rate(field string, v commerce.Text) decimal.Decimal {
	d, err := decimal.Parse(string(v))
	if err != nil || d.IsNeg() || d.Cmp(decimal.One) > 0 {
		l.refuse(field, "expected a fraction from 0 to 1, got %s", v.Shown())
		return decimal.Zero
	}
	return d.Round(8)
}

// addShipping adds a row for each way of shipping that costs something.
func (l *ledger) addShipping(o order) {
	for i, s := range o.Shipping {
		path := fmt.Sprintf("shipping_lines[%d]", i)
		net := l.amount(path+".price", s.Price, s.PriceSet)
		switch {
		case s.Removed:
			continue
		case len(s.Allocations) > 0: // they have every discount; discounted_price leaves out those on the whole order
			net = l.minus(path, net, l.discounts(path, s.Allocations))
		case s.Discounted != "" || s.DiscountedSet != nil:
			net = l.amount(path+".discounted_price", s.Discounted, s.DiscountedSet)
		}
		tax, rate := l.taxes(path, s.TaxLines, o.TaxesIncluded, net)
		if gross := l.plus(path, net, tax); !gross.IsZero() {
			l.add(path, events.Row{Description: commerce.Described("Shipping: " + s.Title), Quantity: decimal.One, TaxRate: rate}, gross)
		}
	}
}

// addOthers adds a row each for the tip, duties and fees. A tip that is a line of the order has a row already.
func (l *ledger) addOthers(o order) {
	isTip := func(line line) bool { return len(line.Tip) > 0 && !bytes.Equal(line.Tip, []byte("null")) }
	if tip := l.amount("total_tip_received", o.Tip, nil); !tip.IsZero() && !slices.ContainsFunc(o.Lines, isTip) {
		l.add("total_tip_received", events.Row{Description: "Tip", Quantity: decimal.One}, tip)
	}
	duties := l.amount("current_total_duties", "", o.Duties)
	if !duties.IsZero() {
		for i, line := range o.Lines {
			for j, d := range line.Duties {
				tax, _ := l.taxes(fmt.Sprintf("line_items[%d].duties[%d]", i, j), d.TaxLines, o.TaxesIncluded, duties)
				duties = l.plus("current_total_duties", duties, tax)
			}
		}
		l.add("current_total_duties_set", events.Row{Description: "Duties", Quantity: decimal.One}, duties)
	}
	if fees := l.amount("current_total_additional_fees", "", o.Fees); !fees.IsZero() {
		l.add("current_total_additional_fees_set", events.Row{Description: "Fees", Quantity: decimal.One}, fees)
	}
}

// addPaid adds the row that lowers the total to what is outstanding. Where only our own payment methods have a part in the order,
// the rest is more of an order that was paid through us before: it can't be added to that invoice.
func (l *ledger) addPaid(o order, total, outstanding decimal.Decimal, onlyOurs bool) {
	paid := l.minus("total_outstanding", total, outstanding)
	if paid.IsZero() {
		return
	}
	if onlyOurs {
		l.refuse("total_outstanding", "expected all of %s, got %s: the rest was paid before, and an invoice can't be paid twice", total, outstanding)
		return
	}
	row := events.Row{Description: "Paid otherwise", Quantity: decimal.One}
	if slices.Contains(o.Gateways, "gift_card") {
		row.Description = "Gift card"
	}
	l.add("total_outstanding", row, paid.Neg())
}

// round adds a row for what the rows differ from the total by rounding.
func (l *ledger) round(total decimal.Decimal) {
	if l.refusal != nil {
		return
	}
	rows, err := commerce.AddRounding(l.rows, events.AmountOf(total), l.digits)
	if r := (*commerce.Refusal)(nil); errors.As(err, &r) {
		l.refuse("current_total_price", "%s", r.Expected)
		return
	}
	if len(rows) > len(l.rows) {
		l.rows, l.paths = rows, append(l.paths, "current_total_price")
	}
}

func (l *ledger) times(field string, a, b decimal.Decimal) decimal.Decimal {
	d, err := a.Mul(b)
	return l.calculated(field, d, err)
}

func (l *ledger) over(field string, a, b decimal.Decimal) decimal.Decimal {
	if b.IsZero() {
		return decimal.Zero
	}
	d, err := a.Quo(b)
	return l.calculated(field, d, err)
}
