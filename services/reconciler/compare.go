package reconciler

import (
	"fmt"
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

// books are what the rows of a report are held against.
type books struct {
	Ledger       []events.LedgerEntry // everything recorded since the previous period's ledgerBefore
	LedgerBefore uint64
	Terminal     string
	Since        time.Time // when the previous period was marked; zero when there was none

	Early              []events.EarlyRow    // of the periods before
	EarlyOmitted       int                  // of them, not known any more
	Outstanding        []events.LedgerEntry // of the periods before
	OutstandingOmitted int
	Doubt              string               // why a row may rightly be in another report; "" when there is no reason
	UnderWay           []events.LedgerEntry // refunds that are asked for and not done: a row may be theirs
}

// item is one payment or refund of ours while the report is read.
type item struct {
	events.LedgerEntry
	outstanding bool // the periods before had it missing there
	found       bool // a row of this report, or of an earlier one, is it
	before      bool // that row was in an earlier report
}

// comparison holds a report's rows against our books one after the other. Its memory grows with our
// ledger and with the rows that are not in it, not with those that agree.
type comparison struct {
	books     books
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

// compareWith prepares the books for the rows.
func compareWith(b books) *comparison {
	c := &comparison{
		books: b, byRef: make(map[string]*item, len(b.Ledger)), early: make(map[string]*earlyRow, len(b.Early)),
		lines: newLines(), totals: totals{},
	}
	for _, e := range b.Early {
		c.early[e.ErsReference] = &earlyRow{EarlyRow: e}
	}
	for _, e := range b.Outstanding {
		c.enter(&item{LedgerEntry: e, outstanding: true})
	}
	for _, e := range b.Ledger {
		c.enter(&item{LedgerEntry: e})
	}
	return c
}

// enter takes one entry into the books, unless an earlier report has settled it.
func (c *comparison) enter(it *item) {
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

// settleEarly holds an entry against the row that an earlier report had of it.
func (c *comparison) settleEarly(it *item, e *earlyRow) {
	it.found, it.before = true, true
	e.recorded = it.Seq <= c.books.LedgerBefore
	if e.Amount != nil {
		c.agree(it, row{Ref: it.ErsReference, Amount: e.Amount.Decimal()}, "an earlier period's report")
		e.Amount = nil
	}
}

// row takes one row of the report.
func (c *comparison) row(r row) {
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
		c.totals.theirs(it.Currency, r.Amount)
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
	theirs := events.AmountOf(r.Amount)
	d.Theirs = &theirs
	switch {
	case r.Amount.Cmp(it.Signed().Decimal()) != 0:
		d.Kind = events.AmountDiffers
		if it.IsRefund() || r.Amount.Sign() < 0 {
			d.Kind = events.RefundDiffers
		}
		d.Text = fmt.Sprintf("we recorded %s %s, %s has %s", it.Signed(), it.Currency, where, theirs)
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
	theirs := events.AmountOf(r.Amount)
	d := events.Difference{ErsReference: r.Ref, Currency: r.Currency}
	if it != nil {
		d = lineOf(it.LedgerEntry)
		d.Ours = nil
	}
	d.Kind, d.Theirs, d.Text = events.MissingHere, &theirs, text
	c.totals.theirs(d.Currency, r.Amount)
	c.lines.add(d)
}

// unexplained is how many rows so far are nothing of ours. The poller may be about to record them.
func (c *comparison) unexplained() int { return len(c.unmatched) }

func lineOf(e events.LedgerEntry) events.Difference {
	ours := e.Signed()
	return events.Difference{
		ErsReference: e.ErsReference, Shop: e.Shop, InvoiceID: e.InvoiceID, RefundID: e.RefundID, Currency: e.Currency, Ours: &ours,
	}
}
