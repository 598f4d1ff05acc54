package reconciler

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// row is one transaction of the provider's report; a refund's amount is negative.
type row struct {
	Ref      string
	Amount   decimal.Decimal
	Currency string // "" where the report does not say
	Terminal string
}

// fits says that the row has the amount that the report would give for the entry.
func (r row) fits(e events.LedgerEntry) bool { return r.Amount.Cmp(e.Signed().Decimal()) == 0 }

func (r row) amount() *events.Amount {
	return new(events.AmountOf(r.Amount))
}

// ledger is our side of a comparison: what the rows of a report are compared with.
type ledger struct {
	Entries      []events.LedgerEntry // everything recorded since the previous period's ledgerBefore
	LedgerBefore uint64
	Terminal     string
	Since        time.Time // when the previous period was marked; zero when there was none

	Early              []events.EarlyRow    // of the periods before
	EarlyOmitted       int                  // of them, not known any more
	Outstanding        []events.LedgerEntry // of the periods before
	OutstandingOmitted int
	Doubt              string               // why a row may rightly be in another report; "" when there is no reason
	UnderWay           []events.LedgerEntry // refunds that are asked for and not done: a row may be of one of them
}

// item is one entry of our ledger while the report is read.
type item struct {
	events.LedgerEntry
	outstanding bool // the periods before had it missing there
	found       bool // a row of this report, or of an earlier one, is it
	before      bool // that row was in an earlier report
}

// comparison takes a report's rows one after the other and compares each with our ledger. Its memory grows with our
// ledger and with the rows that are not in it, not with those that agree.
type comparison struct {
	ledger    ledger
	items     []*item
	byRef     map[string]*item
	early     map[string]*earlyRow
	unmatched []row // nothing of ours so far
	rows      int
	matched   int
	late      int      // of the matched, those that an earlier report should have had
	byAmount  []string // of the matched, refunds that only their amount tells
	lines     lines
	totals    totals
}

type earlyRow struct {
	events.EarlyRow
	recorded bool // our own record of it is no younger than this period
}

// compareWith begins a comparison with our ledger.
func compareWith(l ledger) *comparison {
	c := &comparison{
		ledger: l, byRef: make(map[string]*item, len(l.Entries)), early: make(map[string]*earlyRow, len(l.Early)),
		lines: newLines(), totals: totals{of: map[string]*events.PeriodTotal{}},
	}
	for _, e := range l.Early {
		c.early[e.ErsReference] = &earlyRow{EarlyRow: e}
	}
	for _, e := range l.Outstanding {
		c.addEntry(&item{LedgerEntry: e, outstanding: true})
	}
	for _, e := range l.Entries {
		c.addEntry(&item{LedgerEntry: e})
	}
	return c
}

// addEntry adds one entry of our ledger, and compares it with the row of an earlier report if there was one.
func (c *comparison) addEntry(it *item) {
	if it.ErsReference == "" {
		c.items = append(c.items, it)
		return
	}
	if other, taken := c.byRef[it.ErsReference]; taken {
		if !sameEntry(other.LedgerEntry, it.LedgerEntry) {
			c.items = append(c.items, it) // no row is left for it: it will be missing there
		}
		return
	}
	c.byRef[it.ErsReference] = it
	c.items = append(c.items, it)
	if e, was := c.early[it.ErsReference]; was {
		c.settleEarly(it, e)
	}
}

func sameEntry(a, b events.LedgerEntry) bool {
	return a.Shop == b.Shop && a.InvoiceID == b.InvoiceID && a.RefundID == b.RefundID
}

// settleEarly compares an entry with the row that an earlier report had of it.
func (c *comparison) settleEarly(it *item, e *earlyRow) {
	it.found, it.before = true, true
	e.recorded = it.Seq <= c.ledger.LedgerBefore
	if e.Amount != nil {
		c.agree(it, row{Ref: it.ErsReference, Amount: e.Amount.Decimal()}, "an earlier period's report")
		e.Amount = nil
	}
}

// addRow compares one row of the report.
func (c *comparison) addRow(r row) {
	c.rows++
	it := c.byRef[r.Ref]
	_, was := c.early[r.Ref]
	switch {
	case r.Ref != "" && (was || it != nil && it.before):
		c.repeated(r, it, "the report of an earlier period had this reference already")
	case it == nil:
		c.unmatched = append(c.unmatched, r)
	case it.found:
		c.repeated(r, it, "the report has this reference more than once")
	default:
		it.found = true
		c.totals.addTheirs(it.Currency, r)
		if !c.agree(it, r, "the report") {
			return
		}
		c.matched++
		if it.outstanding {
			c.late++
		}
	}
}

// agree notes in what a row differs from our entry of the same reference.
func (c *comparison) agree(it *item, r row, where string) bool {
	d := lineOf(it.LedgerEntry)
	d.Theirs = r.amount()
	switch {
	case !r.fits(it.LedgerEntry):
		d.Kind = events.AmountDiffers
		if it.IsRefund() || r.Amount.Sign() < 0 {
			d.Kind = events.RefundDiffers
		}
		d.Text = fmt.Sprintf("we recorded %s %s, %s has %s", it.Signed(), it.Currency, where, d.Theirs)
	case r.Currency != "" && r.Currency != it.Currency:
		d.Kind = events.CurrencyDiffers
		d.Text = fmt.Sprintf("we recorded %s, %s has %s", it.Currency, where, r.Currency)
	default:
		return true
	}
	c.lines.add(d)
	return false
}

// repeated notes a row for which there is no second entry of ours.
func (c *comparison) repeated(r row, it *item, text string) {
	d := events.Difference{ErsReference: r.Ref, Currency: r.Currency}
	if it != nil {
		d = lineOf(it.LedgerEntry)
		d.Ours = nil
	}
	d.Kind, d.Theirs, d.Text = events.MissingHere, r.amount(), text
	c.totals.addTheirs(d.Currency, r)
	c.lines.add(d)
}

func lineOf(e events.LedgerEntry) events.Difference {
	return events.Difference{
		ErsReference: e.ErsReference, Shop: e.Shop, InvoiceID: e.InvoiceID, RefundID: e.RefundID, Currency: e.Currency, Ours: new(e.Signed()),
	}
}

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
