package shopify

import (
	"errors"
	"fmt"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// ledger collects the rows of one order in one currency. The first problem stands; what is added after it does not count.
type ledger struct {
	order    string
	currency string
	digits   int  // of the currency, after the point
	buyers   bool // amounts are those in the currency that the buyer saw
	rows     []events.Row
	paths    []string // where each row comes from in the payload
	refusal  *commerce.Refusal
}

func (l *ledger) refuse(field, expected string, args ...any) {
	if l.refusal == nil {
		l.refusal = &commerce.Refusal{Order: l.order, Field: field, Expected: fmt.Sprintf(expected, args...)}
	}
}

// chooseMoney decides the currency of all amounts.
func (l *ledger) chooseMoney(presentment bool, o order) {
	l.currency = o.Currency
	field := "currency"
	if o.PresentmentCurrency != "" && o.PresentmentCurrency != o.Currency {
		l.currency, l.buyers, field = o.PresentmentCurrency, true, "presentment_currency"
		if !presentment {
			l.refuse(field, "expected the shop's currency %s, got %s: the connection has to say that the buyer's currency is charged (presentment: true)",
				commerce.Text(o.Currency).Shown(), commerce.Text(o.PresentmentCurrency).Shown())
		}
	}
	digits, known := events.CurrencyDigits(l.currency)
	if !known {
		l.refuse(field, "expected an ISO 4217 code such as SEK, got %s", commerce.Text(l.currency).Shown())
	}
	l.digits = digits
}

// amount reads one sum: the plain field or the shop's side of its set, or the buyer's side. An absent one is 0.
func (l *ledger) amount(field string, plain commerce.Text, set *moneySet) decimal.Decimal {
	switch {
	case l.buyers && set != nil:
		return l.read(field+"_set.presentment_money.amount", set.Presentment.Amount)
	case l.buyers:
		d := l.read(field, plain)
		if !d.IsZero() {
			l.refuse(field+"_set", "expected the amount in the buyer's currency %s, got none", l.currency)
		}
		return d
	case plain == "" && set != nil:
		return l.read(field+"_set.shop_money.amount", set.Shop.Amount)
	}
	return l.read(field, plain)
}

// read reads a plain decimal; "" is 0.
func (l *ledger) read(field string, v commerce.Text) decimal.Decimal {
	if v == "" {
		return decimal.Zero
	}
	d, err := v.Decimal()
	if err != nil {
		l.refuse(field, "%v", err)
		return decimal.Zero
	}
	return d
}

// calculated takes the result of a calculation with decimals, which fails only for amounts beyond all reason.
func (l *ledger) calculated(field string, d decimal.Decimal, err error) decimal.Decimal {
	if err != nil {
		l.refuse(field, "expected amounts that can be calculated with: %v", errors.Unwrap(err))
		return decimal.Zero
	}
	return d
}

func (l *ledger) plus(field string, a, b decimal.Decimal) decimal.Decimal {
	d, err := a.Add(b)
	return l.calculated(field, d, err)
}

func (l *ledger) minus(field string, a, b decimal.Decimal) decimal.Decimal {
	return l.plus(field, a, b.Neg())
}

// totals gives the order's total as it is now, and what is outstanding of it. Shopify says only in the shop's currency what is
// outstanding, so in the buyer's currency it has to be all.
func (l *ledger) totals(o order) (total, outstanding decimal.Decimal) {
	field, plain, set := "current_total_price", o.CurrentTotal, o.CurrentTotalSet
	if plain == "" && set == nil {
		field, plain, set = "total_price", o.Total, o.TotalSet
	}
	total = l.total(field, plain, set)
	if o.Outstanding == "" {
		return total, total
	}
	outstanding = l.read("total_outstanding", o.Outstanding)
	if l.buyers {
		if all := l.read(field, plain); outstanding.Cmp(all) != 0 {
			l.refuse("total_outstanding", "expected all of %s, got %s: what is outstanding is not known in the buyer's currency", all, outstanding)
		}
		return total, total
	}
	if outstanding.IsNeg() || outstanding.Cmp(total) > 0 {
		l.refuse("total_outstanding", "expected 0 to %s, got %s", total, outstanding)
	}
	return total, outstanding
}

// total reads a sum that has to be there: without it an order would look free.
func (l *ledger) total(field string, plain commerce.Text, set *moneySet) decimal.Decimal {
	switch {
	case l.buyers && (set == nil || set.Presentment.Amount == ""):
		l.refuse(field+"_set.presentment_money.amount", "missing")
	case l.buyers && set.Presentment.Currency != l.currency:
		l.refuse(field+"_set.presentment_money.currency_code", "expected %s, got %s", l.currency, commerce.Text(set.Presentment.Currency).Shown())
	case !l.buyers && plain == "":
		l.refuse(field, "missing")
	}
	d := l.amount(field, plain, set)
	if d.IsNeg() {
		l.refuse(field, "expected at least 0, got %s", d)
	}
	return d
}
