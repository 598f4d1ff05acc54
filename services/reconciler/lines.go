package reconciler

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// An event has room for so many lines; the rest is counted. Together with what the next period has to
// know it stays below 1 MB, which is what a broker takes unless told otherwise.
const (
	maxLines     = 1000
	maxLineBytes = 410 << 10
)

// lines keeps the first differences of each kind and counts all.
type lines struct {
	total  int
	count  map[events.DifferenceKind]int
	byKind map[events.DifferenceKind][]events.Difference
}

func newLines() lines {
	return lines{count: map[events.DifferenceKind]int{}, byKind: map[events.DifferenceKind][]events.Difference{}}
}

func (l *lines) add(d events.Difference) {
	l.total++
	l.count[d.Kind]++
	if len(l.byKind[d.Kind]) < maxLines {
		l.byKind[d.Kind] = append(l.byKind[d.Kind], d)
	}
}

// first gives as many lines as an event has room for, the gravest kinds first.
func (l *lines) first() []events.Difference {
	var all []events.Difference
	for _, kind := range events.DifferenceKinds() {
		all = append(all, l.byKind[kind]...)
	}
	return all[:fitting(all, maxLines, maxLineBytes)]
}

// fitting says how many of the list's first elements have room in an event.
func fitting[T any](list []T, most, bytes int) int {
	for n, e := range list {
		body, err := json.Marshal(e)
		if bytes -= len(body) + 1; err != nil || bytes < 0 || n == most {
			return n
		}
	}
	return len(list)
}

// totals are the sums of our ledger and of the report by currency.
type totals struct {
	of  map[string]*events.PeriodTotal
	err error // the first sum that is beyond what an exact decimal holds
}

func (t *totals) addOurs(e events.LedgerEntry) {
	t.add(e.Currency, func(p *events.PeriodTotal) *events.Totals { return &p.Ours }, e.Signed().Decimal())
}

func (t *totals) addTheirs(currency string, r row) {
	t.add(currency, func(p *events.PeriodTotal) *events.Totals { return &p.Theirs }, r.Amount)
}

// add counts a sale, or for a negative amount a refund.
func (t *totals) add(currency string, side func(*events.PeriodTotal) *events.Totals, amount decimal.Decimal) {
	if t.of[currency] == nil {
		t.of[currency] = &events.PeriodTotal{Currency: currency}
	}
	s := side(t.of[currency])
	count, sum := &s.Sales, &s.SalesSum
	if amount.Sign() < 0 {
		count, sum, amount = &s.Refunds, &s.RefundSum, amount.Neg()
	}
	*count++
	added, err := addExactly(sum.Decimal(), amount)
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("the sum in %q is too large: %w", currency, err)
	}
	*sum = events.AmountOf(added)
}

// addExactly refuses to round: a sum of money that has lost a digit is not a sum.
func addExactly(a, b decimal.Decimal) (decimal.Decimal, error) {
	a, b = a.Trim(0), b.Trim(0)
	return a.AddExact(b, max(a.Scale(), b.Scale()))
}

func (t *totals) list() (out []events.PeriodTotal, err error) {
	for _, currency := range slices.Sorted(maps.Keys(t.of)) {
		out = append(out, *t.of[currency])
	}
	return out, t.err
}
