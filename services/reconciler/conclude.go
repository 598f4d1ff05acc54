package reconciler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// What one period's event may hold for the next period: so many entries, and so many bytes of them.
const (
	maxEarly            = 5000
	maxEarlyBytes       = 300 << 10
	maxOutstanding      = 1000
	maxOutstandingBytes = 200 << 10
	maxByAmount         = 100
	maxOpenRefunds      = 1000
	maxOpenRefundsBytes = 40 << 10
)

// conclude gives the result once all rows were added. The doubts are refunds of ours that may or may
// not have happened. An error means that a sum is beyond what an exact decimal holds.
func (c *comparison) conclude(doubts []events.LedgerEntry) (events.Comparison, error) {
	early, left := c.explain(doubts)
	for _, r := range left {
		c.missingHere(r)
		early = append(early, openRow(r))
	}
	early = append(early, c.recordedAfterMark()...)
	outstanding := c.missingThere()
	out := events.Comparison{Rows: c.rows, Matched: c.matched}
	out.Differences, out.Kinds, out.Lines = c.lines.total, c.lines.count, c.lines.first()
	out.Early, out.EarlyOmitted = atMost(append(early, c.notRecordedYet()...), maxEarly, maxEarlyBytes, c.ledger.EarlyOmitted)
	out.Outstanding, out.OutstandingOmitted = atMost(outstanding, maxOutstanding, maxOutstandingBytes, c.ledger.OutstandingOmitted)
	out.Notes = c.notes(out)
	var err error
	out.Totals, err = c.totals.list()
	return out, err
}

// explain compares rows that look like refunds with refunds of ours whose reference is not known. It
// gives the rows that it explained, for the next period, and those that are left.
func (c *comparison) explain(doubts []events.LedgerEntry) (early []events.EarlyRow, left []row) {
	var done []*item
	for _, it := range c.items {
		if it.IsRefund() && it.ErsReference == "" && !it.found {
			done = append(done, it)
		}
	}
	done = c.settleUnreferenced(done)
	doubts = slices.Clone(doubts)
	open := slices.Concat(doubts, c.ledger.UnderWay)
	all := slices.Concat(open, entriesOf(done))
	for _, r := range c.unmatched {
		fits := slices.IndexFunc(done, func(it *item) bool { return r.fits(it.LedgerEntry) })
		inDoubt := slices.IndexFunc(doubts, r.fits)
		switch {
		case fits >= 0:
			it := done[fits]
			if len(r.among(open))+len(r.among(entriesOf(done))) == 1 && c.isOnlyRowOf(r.Amount) {
				c.byAmount = append(c.byAmount, fmt.Sprintf("refund %.64q of %s/%.64q is %s here: we had no reference of it, and no other refund that is done or in doubt has its amount",
					it.RefundID, it.Shop, it.InvoiceID, r.Ref))
				c.matched++
				c.totals.addTheirs(it.Currency, r)
			} else {
				c.refundLine(r, r.among(all), "we know that this refund was done but not its reference; the amount of this row fits it")
			}
			it.found = true
			done = slices.Delete(done, fits, fits+1)
			if it.Seq > c.ledger.LedgerBefore {
				early = append(early, openRow(r)) // the next period has the entry, and no row for it
			}
		case inDoubt >= 0:
			c.refundLine(r, r.among(all), "this refund is in doubt, and the amount of this row fits it: it was probably done under this reference; "+
				"settle it with: seqrflow refunds resolve")
			open = slices.DeleteFunc(open, func(e events.LedgerEntry) bool { return sameEntry(e, doubts[inDoubt]) })
			doubts = slices.Delete(doubts, inDoubt, inDoubt+1)
			early = append(early, openRow(r))
		default:
			left = append(left, r)
		}
	}
	return early, left
}

// settleUnreferenced takes out the refunds that a row of an earlier report fits: it was reported then.
func (c *comparison) settleUnreferenced(done []*item) []*item {
	return slices.DeleteFunc(done, func(it *item) bool {
		for _, e := range c.ledger.Early {
			known := c.early[e.ErsReference]
			if known.Amount != nil && known.Amount.Cmp(it.Signed()) == 0 {
				it.found, it.before, known.Amount = true, true, nil
				known.recorded = it.Seq <= c.ledger.LedgerBefore
				return true
			}
		}
		return false
	})
}

func entriesOf(items []*item) []events.LedgerEntry {
	var out []events.LedgerEntry
	for _, it := range items {
		out = append(out, it.LedgerEntry)
	}
	return out
}

// isOnlyRowOf says that no other row that is nothing of ours has this amount.
func (c *comparison) isOnlyRowOf(amount decimal.Decimal) bool {
	n := 0
	for _, r := range c.unmatched {
		if r.Amount.Cmp(amount) == 0 {
			n++
		}
	}
	return n == 1
}

// among gives the entries that the row may be, by its amount.
func (r row) among(all []events.LedgerEntry) []events.LedgerEntry {
	return slices.DeleteFunc(slices.Clone(all), func(e events.LedgerEntry) bool { return !r.fits(e) })
}

// maxFits is how many refunds a line lists that a row may be.
const maxFits = 10

// refundLine notes a row that may be a refund of ours. It names the refund when there is only one that it may be; of
// several it names all, because to settle the wrong one would pay twice or not at all.
func (c *comparison) refundLine(r row, fits []events.LedgerEntry, text string) {
	d := lineOf(fits[0])
	if n := len(fits); n > 1 {
		d = events.Difference{Currency: fits[0].Currency}
		var names []string
		for _, e := range fits {
			if e.Currency != d.Currency {
				d.Currency = ""
			}
			if len(names) < maxFits {
				d.Fits = append(d.Fits, events.RefundRef{Shop: e.Shop, InvoiceID: e.InvoiceID, RefundID: e.RefundID})
				names = append(names, fmt.Sprintf("%.64q of %s/%.64q", e.RefundID, e.Shop, e.InvoiceID))
			}
		}
		if n > maxFits {
			names = append(names, fmt.Sprintf("and %d more", n-maxFits))
		}
		text = fmt.Sprintf("the amount of this row fits %d refunds of ours: %s; nothing here tells which of them it is: ask the provider before any is settled", n, strings.Join(names, ", "))
	}
	d.Kind, d.ErsReference, d.Theirs, d.Text = events.RefundDiffers, r.Ref, r.amount(), text
	c.totals.addTheirs(d.Currency, r)
	c.lines.add(d)
}

func openRow(r row) events.EarlyRow {
	return events.EarlyRow{ErsReference: r.Ref, Amount: r.amount()}
}

func (c *comparison) missingHere(r row) {
	text := "the report has a payment that we have not recorded since the previous closing"
	if r.Amount.Sign() < 0 {
		text = "the report has a refund that fits none that we have recorded since the previous closing"
	}
	if r.Terminal != "" && r.Terminal != c.ledger.Terminal {
		text += fmt.Sprintf("; it is of terminal %.64q", r.Terminal)
	}
	if n := c.ledger.OutstandingOmitted; n > 0 {
		text += fmt.Sprintf("; it may be one of %d that earlier reports lacked and that are not listed", n)
	}
	c.totals.addTheirs(r.Currency, r)
	c.lines.add(events.Difference{Kind: events.MissingHere, ErsReference: r.Ref, Currency: r.Currency, Theirs: r.amount(), Text: text})
}

// missingThere notes what the report should have and has not, and gives all that no report has had yet.
func (c *comparison) missingThere() []events.LedgerEntry {
	var fresh, old []events.LedgerEntry
	for _, it := range c.items {
		switch {
		case it.before || !it.found && it.Seq > c.ledger.LedgerBefore:
			continue // an earlier report had it, or the next must have it
		case it.found:
			c.totals.addOurs(it.LedgerEntry)
			continue
		case it.outstanding:
			old = append(old, it.LedgerEntry)
			continue
		}
		c.totals.addOurs(it.LedgerEntry)
		fresh = append(fresh, it.LedgerEntry)
		d := lineOf(it.LedgerEntry)
		d.Kind, d.Text = events.MissingThere, c.absence(it)
		c.lines.add(d)
	}
	return append(fresh, old...)
}

func (c *comparison) absence(it *item) string {
	what := "payment"
	if it.IsRefund() {
		what = "refund"
	}
	text := fmt.Sprintf("we recorded this %s before the mark (message %d of %s), and the report does not have it", what, it.Seq, events.InvoicesStream)
	switch other := c.byRef[it.ErsReference]; {
	case it.ErsReference == "":
		text = fmt.Sprintf("we recorded this %s without a reference (message %d of %s), and no row fits it", what, it.Seq, events.InvoicesStream)
	case other != it:
		text += fmt.Sprintf("; we have its reference also for invoice %.64q", other.InvoiceID)
	}
	if c.ledger.Doubt != "" {
		text += "; " + c.ledger.Doubt
	}
	if n := c.ledger.EarlyOmitted; n > 0 {
		text += fmt.Sprintf("; it may be one of %d rows of earlier reports that are not listed", n)
	}
	return text
}

// recordedAfterMark gives the entries of this report that we recorded after the mark was asked for: the next report
// will not have them.
func (c *comparison) recordedAfterMark() []events.EarlyRow {
	var out []events.EarlyRow
	for _, it := range c.items {
		if it.found && !it.before && it.Seq > c.ledger.LedgerBefore && it.ErsReference != "" {
			out = append(out, events.EarlyRow{ErsReference: it.ErsReference})
		}
	}
	return out
}

// notRecordedYet gives the rows of earlier reports that our ledger still lacks.
func (c *comparison) notRecordedYet() []events.EarlyRow {
	var out []events.EarlyRow
	for _, e := range c.ledger.Early {
		if known := c.early[e.ErsReference]; !known.recorded {
			out = append(out, known.EarlyRow)
		}
	}
	return out
}

func (c *comparison) notes(out events.Comparison) []string {
	var notes []string
	note := func(n int, format string) {
		if n > 0 {
			notes = append(notes, fmt.Sprintf(format, n))
		}
	}
	if c.ledger.Doubt != "" {
		notes = append(notes, c.ledger.Doubt)
	}
	notes = append(notes, c.byAmount[:min(len(c.byAmount), maxByAmount)]...)
	note(c.late, "%d of the rows are of earlier periods, whose reports lacked them")
	note(len(out.Early)+out.EarlyOmitted, "%d rows of the reports so far were not in our ledger when their period was marked; the next closing accounts for them")
	note(len(out.Outstanding)+out.OutstandingOmitted, "%d entries of our ledger have been in no report so far")
	return notes
}

func atMost[T any](list []T, most, bytes, omitted int) ([]T, int) {
	n := fitting(list, most, bytes)
	return list[:n], omitted + len(list) - n
}
