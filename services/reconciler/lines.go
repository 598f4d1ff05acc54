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

func (l *lines) counts() map[events.DifferenceKind]int {
	if l.total == 0 {
		return nil
	}
	return l.count
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

// totals are sums by currency.
type totals map[string]*sums

type sums struct{ ours, theirs side }

type side struct {
	sales, refunds       int
	salesSum, refundsSum decimal.Decimal
	err                  error
}

func (t totals) of(currency string) *sums {
	s := t[currency]
	if s == nil {
		s = &sums{}
		t[currency] = s
	}
	return s
}

func (t totals) ours(e events.LedgerEntry) { t.of(e.Currency).ours.add(e.Signed().Decimal()) }

func (t totals) theirs(currency string, amount decimal.Decimal) { t.of(currency).theirs.add(amount) }

func (s *side) add(amount decimal.Decimal) {
	if s.err != nil {
		return
	}
	if amount.Sign() < 0 {
		s.refunds++
		s.refundsSum, s.err = addExactly(s.refundsSum, amount.Neg())
		return
	}
	s.sales++
	s.salesSum, s.err = addExactly(s.salesSum, amount)
}

// addExactly refuses to round: a sum of money that has lost a digit is not a sum.
func addExactly(a, b decimal.Decimal) (decimal.Decimal, error) {
	a, b = a.Trim(0), b.Trim(0)
	return a.AddExact(b, max(a.Scale(), b.Scale()))
}

func (t totals) list() ([]events.PeriodTotal, error) {
	var out []events.PeriodTotal
	for _, currency := range slices.Sorted(maps.Keys(t)) {
		s := t[currency]
		for _, side := range []side{s.ours, s.theirs} {
			if side.err != nil {
				return nil, fmt.Errorf("the sum in %q is too large: %w", currency, side.err)
			}
		}
		out = append(out, events.PeriodTotal{Currency: currency, Ours: s.ours.totals(), Theirs: s.theirs.totals()})
	}
	return out, nil
}

func (s side) totals() events.Totals {
	return events.Totals{
		Sales: s.sales, SalesSum: events.AmountOf(s.salesSum), Refunds: s.refunds, RefundSum: events.AmountOf(s.refundsSum),
	}
}
