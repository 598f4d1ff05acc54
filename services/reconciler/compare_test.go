package reconciler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

func money(s string) events.Amount { return events.AmountOf(decimal.MustParse(s)) }

func paid(ref, amount string, seq uint64) events.LedgerEntry {
	return events.LedgerEntry{ErsReference: ref, Shop: "acme", InvoiceID: "inv-" + ref, Currency: "SEK", Amount: money(amount), Seq: seq}
}

func refunded(ref, amount string, seq uint64) events.LedgerEntry {
	e := paid(ref, amount, seq)
	e.RefundID, e.InvoiceID = "back", fmt.Sprint("inv-", seq)
	return e
}

func reported(ref, amount string) row { return row{Ref: ref, Amount: decimal.MustParse(amount)} }

func compared(t *testing.T, b ledger, doubts []events.LedgerEntry, rows ...row) events.Comparison {
	t.Helper()
	c := compareWith(b)
	for _, r := range rows {
		c.addRow(r)
	}
	out, err := c.conclude(doubts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// said is a difference in short: kind, reference, refund, ours, theirs.
func said(c events.Comparison) []string {
	var out []string
	for _, d := range c.Lines {
		out = append(out, strings.Join([]string{string(d.Kind), dash(d.ErsReference), dash(d.RefundID), amount(d.Ours, ""), amount(d.Theirs, "")}, " "))
	}
	return out
}

func TestEachKindOfDifference(t *testing.T) {
	t.Parallel()
	ours := []events.LedgerEntry{paid("A", "100.00", 1), paid("B", "93.31", 2), refunded("Z", "20.50", 3)}
	whole := []row{reported("A", "100.00000"), reported("B", "93.31000"), reported("Z", "-20.50000")}
	noRef := refunded("", "5", 4)
	otherCurrency := reported("A", "100")
	otherCurrency.Currency = "EUR"
	sameCurrency := reported("A", "100")
	sameCurrency.Currency = "SEK"
	twin := paid("A", "100.00", 4)
	twin.InvoiceID = "other"
	for _, c := range []struct {
		name   string
		ledger []events.LedgerEntry
		doubts []events.LedgerEntry
		rows   []row
		want   []string
	}{
		{"all agree", ours, nil, whole, nil},
		{"nothing at all", nil, nil, nil, nil},
		{"order does not matter", ours, nil, []row{whole[2], whole[0], whole[1]}, nil},
		{"payment missing there", ours, nil, whole[1:], []string{"missing_there A – 100.00 –"}},
		{"refund missing there", ours, nil, whole[:2], []string{"missing_there Z back -20.50 –"}},
		{"payment missing here", ours[1:], nil, whole, []string{"missing_here A – – 100.00000"}},
		{"refund missing here", ours[:2], nil, whole, []string{"missing_here Z – – -20.50000"}},
		{"amount differs", ours, nil, []row{reported("A", "99.99999"), whole[1], whole[2]}, []string{"amount_differs A – 100.00 99.99999"}},
		{"refund's amount differs", ours, nil, []row{whole[0], whole[1], reported("Z", "-20")}, []string{"refund_differs Z back -20.50 -20"}},
		{"refund shown as a payment", ours, nil, []row{whole[0], whole[1], reported("Z", "20.50")}, []string{"refund_differs Z back -20.50 20.50"}},
		{"currency differs", ours[:1], nil, []row{otherCurrency}, []string{"currency_differs A – 100.00 100"}},
		{"currency is the same", ours[:1], nil, []row{sameCurrency}, nil},
		{"twice in the report", ours, nil, append(whole, whole[0]), []string{"missing_here A – – 100.00000"}},
		{"twice in the report and not ours", nil, nil, []row{whole[0], whole[0]},
			[]string{"missing_here A – – 100.00000", "missing_here A – – 100.00000"}},
		{"one reference for two of our invoices", []events.LedgerEntry{ours[0], twin}, nil, whole[:1], []string{"missing_there A – 100.00 –"}},
		{"the same event twice is one", []events.LedgerEntry{ours[0], ours[0]}, nil, whole[:1], nil},
		{"refund done, reference not known, and one row has its amount", []events.LedgerEntry{noRef}, nil, []row{reported("Q", "-5.00000")}, nil},
		{"refund done, reference not known, and two rows have its amount", []events.LedgerEntry{noRef}, nil,
			[]row{reported("Q", "-5.00000"), reported("R", "-5")}, []string{"refund_differs Q back -5 -5.00000", "missing_here R – – -5"}},
		{"refund done, reference not known, other amount", []events.LedgerEntry{noRef}, nil, []row{reported("Q", "-6")},
			[]string{"missing_there – back -5 –", "missing_here Q – – -6"}},
		{"refund in doubt", nil, []events.LedgerEntry{noRef}, []row{reported("Q", "-5")}, []string{"refund_differs Q back -5 -5"}},
		{"refund in doubt that the report does not have", nil, []events.LedgerEntry{noRef}, nil, nil},
		{"refund done, reference not known, and one in doubt of its amount", []events.LedgerEntry{noRef}, []events.LedgerEntry{refunded("", "5", 5)},
			[]row{reported("Q", "-5")}, []string{"refund_differs Q – – -5"}},
		{"two refunds done, no reference known, and two rows have their amount: none is named", []events.LedgerEntry{noRef, refunded("", "5", 5)}, nil,
			[]row{reported("Q", "-5"), reported("R", "-5")}, []string{"refund_differs Q – – -5", "refund_differs R – – -5"}},
		{"a doubt explains one row only", nil, []events.LedgerEntry{noRef}, []row{reported("Q", "-5"), reported("R", "-5")},
			[]string{"refund_differs Q back -5 -5", "missing_here R – – -5"}},
		{"a doubt does not explain a payment", nil, []events.LedgerEntry{noRef}, []row{reported("Q", "5")}, []string{"missing_here Q – – 5"}},
		{"the gravest kinds come first", ours, nil, []row{reported("X", "1"), reported("A", "1"), reported("Z", "-1")},
			[]string{"amount_differs A – 100.00 1", "refund_differs Z back -20.50 -1", "missing_there B – 93.31 –", "missing_here X – – 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := compared(t, ledger{Entries: c.ledger, LedgerBefore: 10}, c.doubts, c.rows...)
			if diff := cmp.Diff(c.want, said(got)); diff != "" {
				t.Error(diff)
			}
			if got.Differences != len(c.want) || got.Rows != len(c.rows) {
				t.Errorf("%d differences in %d rows, expected %d in %d", got.Differences, got.Rows, len(c.want), len(c.rows))
			}
			for _, d := range got.Lines {
				if d.Text == "" {
					t.Errorf("a line without words: %+v", d)
				}
			}
		})
	}
}

func TestTotalsByCurrency(t *testing.T) {
	t.Parallel()
	euro := paid("E", "7.25", 2)
	euro.Currency = "EUR"
	got := compared(t, ledger{Entries: []events.LedgerEntry{paid("A", "10", 1), euro, refunded("Z", "4", 3)}, LedgerBefore: 3}, nil,
		reported("A", "10.00000"), reported("E", "7.25000"), reported("Z", "-4.00000"), reported("X", "1.5"))
	var lines []string
	for _, x := range got.Totals {
		lines = append(lines, fmt.Sprintf("%s ours %d %s %d %s theirs %d %s %d %s", dash(x.Currency), x.Ours.Sales, x.Ours.SalesSum,
			x.Ours.Refunds, x.Ours.RefundSum, x.Theirs.Sales, x.Theirs.SalesSum, x.Theirs.Refunds, x.Theirs.RefundSum))
	}
	want := []string{"– ours 0 0 0 0 theirs 1 1.5 0 0", "EUR ours 1 7.25 0 0 theirs 1 7.25 0 0", "SEK ours 1 10 1 4 theirs 1 10 1 4"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if got.Matched != 3 {
		t.Errorf("%d matched, expected 3", got.Matched)
	}
}

func TestSumThatCannotBeExactIsRefused(t *testing.T) {
	t.Parallel()
	c := compareWith(ledger{})
	c.addRow(reported("A", "9999999999999999999"))
	c.addRow(reported("B", "0.00001"))
	if out, err := c.conclude(nil); err == nil {
		t.Fatalf("summed to %+v", out.Totals)
	}
}

// next is the ledger of the period after one that ended with c.
func next(c events.Comparison, ledgerBefore uint64, entries ...events.LedgerEntry) ledger {
	return ledger{Entries: entries, LedgerBefore: ledgerBefore, Early: c.Early, EarlyOmitted: c.EarlyOmitted,
		Outstanding: c.Outstanding, OutstandingOmitted: c.OutstandingOmitted}
}

func TestWhatStraddlesTheMarkBelongsToOnePeriod(t *testing.T) {
	t.Parallel()
	// B is paid before the mark and recorded after it: the first report has it, the second has not.
	first := compared(t, ledger{Entries: []events.LedgerEntry{paid("A", "1", 10), paid("B", "2", 11), paid("C", "3", 12)}, LedgerBefore: 10}, nil,
		reported("A", "1"), reported("B", "2"))
	if first.Differences != 0 || len(first.Early) != 1 || first.Early[0].ErsReference != "B" {
		t.Fatalf("first period: %v, early %+v", said(first), first.Early)
	}
	second := compared(t, next(first, 12, paid("B", "2", 11), paid("C", "3", 12)), nil, reported("C", "3"))
	if second.Differences != 0 || len(second.Early) != 0 {
		t.Fatalf("second period: %v, early %+v", said(second), second.Early)
	}
	if ours := second.Totals[0].Ours; ours.Sales != 1 || ours.SalesSum.Cmp(money("3")) != 0 {
		t.Errorf("the second period counts %+v, expected C alone", ours)
	}
}

func TestRowThatIsRecordedLateIsAccountedForOnce(t *testing.T) {
	t.Parallel()
	first := compared(t, ledger{LedgerBefore: 10}, nil, reported("A", "1"))
	if diff := cmp.Diff([]string{"missing_here A – – 1"}, said(first)); diff != "" {
		t.Fatal(diff)
	}
	for _, c := range []struct {
		name, amount string
		seq          uint64
		want         []string
		early        int
	}{
		{"recorded in the next period", "1", 15, nil, 0},
		{"recorded with another amount", "2", 15, []string{"amount_differs A – 2 1"}, 0},
		{"recorded after the next mark", "1", 25, nil, 1},
		{"recorded with another amount after the next mark", "2", 25, []string{"amount_differs A – 2 1"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := compared(t, next(first, 20, paid("A", c.amount, c.seq)), nil)
			if diff := cmp.Diff(c.want, said(second)); diff != "" {
				t.Error(diff)
			}
			if len(second.Early) != c.early {
				t.Fatalf("early %+v, expected %d", second.Early, c.early)
			}
			if c.early == 0 {
				return
			}
			third := compared(t, next(second, 30, paid("A", c.amount, c.seq)), nil)
			if third.Differences != 0 || len(third.Early) != 0 {
				t.Errorf("third period: %v, early %+v", said(third), third.Early)
			}
		})
	}
}

func TestEarlyRowStaysKnownUntilItIsRecorded(t *testing.T) {
	t.Parallel()
	first := compared(t, ledger{LedgerBefore: 10}, nil, reported("A", "1"))
	second := compared(t, next(first, 20), nil)
	third := compared(t, next(second, 30, paid("A", "1", 25)), nil)
	if second.Differences+third.Differences != 0 || len(second.Early) != 1 || len(third.Early) != 0 {
		t.Errorf("second %v %+v, third %v %+v", said(second), second.Early, said(third), third.Early)
	}
}

func TestLateReportSettlesWhatWasOutstanding(t *testing.T) {
	t.Parallel()
	first := compared(t, ledger{Entries: []events.LedgerEntry{paid("A", "1", 5)}, LedgerBefore: 10}, nil)
	if diff := cmp.Diff([]string{"missing_there A – 1 –"}, said(first)); diff != "" {
		t.Fatal(diff)
	}
	still := compared(t, next(first, 20), nil)
	if still.Differences != 0 || len(still.Outstanding) != 1 {
		t.Fatalf("it was reported missing again: %v, outstanding %+v", said(still), still.Outstanding)
	}
	settled := compared(t, next(still, 30), nil, reported("A", "1"))
	if settled.Differences != 0 || len(settled.Outstanding) != 0 || settled.Matched != 1 {
		t.Errorf("settled: %v, outstanding %+v", said(settled), settled.Outstanding)
	}
	wrong := compared(t, next(still, 30), nil, reported("A", "2"))
	if diff := cmp.Diff([]string{"amount_differs A – 1 2"}, said(wrong)); diff != "" {
		t.Error(diff)
	}
}

func TestRowOfAnEarlierReportIsNotTakenTwice(t *testing.T) {
	t.Parallel()
	first := compared(t, ledger{Entries: []events.LedgerEntry{paid("A", "1", 11)}, LedgerBefore: 10}, nil, reported("A", "1"), reported("X", "9"))
	second := compared(t, next(first, 20, paid("A", "1", 11)), nil, reported("A", "1"), reported("X", "9"))
	if diff := cmp.Diff([]string{"missing_here A – – 1", "missing_here X – – 9"}, said(second)); diff != "" {
		t.Error(diff)
	}
}

func TestRefundInDoubtThatWasReportedIsNotMissingOnceItIsResolved(t *testing.T) {
	t.Parallel()
	doubt := refunded("", "5", 8)
	first := compared(t, ledger{LedgerBefore: 10}, []events.LedgerEntry{doubt}, reported("Q", "-5"))
	for name, resolved := range map[string]events.LedgerEntry{"with its reference": refunded("Q", "5", 15), "without one": refunded("", "5", 15)} {
		second := compared(t, next(first, 20, resolved), nil)
		if second.Differences != 0 || len(second.Early) != 0 {
			t.Errorf("resolved %s: %v, early %+v", name, said(second), second.Early)
		}
	}
}

func TestUnreferencedRefundOfTheNextPeriodKeepsItsRow(t *testing.T) {
	t.Parallel()
	late := refunded("", "5", 15)
	first := compared(t, ledger{Entries: []events.LedgerEntry{late}, LedgerBefore: 10}, nil, reported("Q", "-5"))
	if first.Differences != 0 || first.Matched != 1 || len(first.Notes) == 0 || !strings.Contains(first.Notes[0], "is Q here") {
		t.Fatalf("%v, notes %q", said(first), first.Notes)
	}
	if second := compared(t, next(first, 20, late), nil); second.Differences != 0 || len(second.Early) != 0 {
		t.Errorf("second period: %v, early %+v", said(second), second.Early)
	}
}

func TestDoubtIsSaidWhereItMayExplain(t *testing.T) {
	t.Parallel()
	got := compared(t, ledger{Entries: []events.LedgerEntry{paid("A", "1", 5)}, LedgerBefore: 10, Doubt: markInDoubt(1)}, nil)
	if !strings.Contains(got.Lines[0].Text, "a period whose id was lost") || len(got.Notes) == 0 || !strings.Contains(got.Notes[0], "id was lost") {
		t.Errorf("line %q, notes %q", got.Lines[0].Text, got.Notes)
	}
}

func TestLinesAndCarriedRowsAreBounded(t *testing.T) {
	t.Parallel()
	var ours []events.LedgerEntry
	rows := []row{reported("grave", "2")}
	ours = append(ours, paid("grave", "1", 1))
	for i := range 7000 {
		ours = append(ours, paid(fmt.Sprintf("ours-%d", i), "1", 2))
		rows = append(rows, reported(fmt.Sprintf("theirs-%d", i), "1"))
	}
	got := compared(t, ledger{Entries: ours, LedgerBefore: 10}, nil, rows...)
	if len(got.Lines) > maxLines || got.Differences != 14001 || got.Kinds[events.MissingHere] != 7000 || got.Kinds[events.MissingThere] != 7000 {
		t.Errorf("%d lines of %d differences, %v", len(got.Lines), got.Differences, got.Kinds)
	}
	if got.Lines[0].Kind != events.AmountDiffers {
		t.Errorf("the first line is %s", got.Lines[0].Kind)
	}
	if len(got.Early) != maxEarly || got.EarlyOmitted != 2000 || len(got.Outstanding) != maxOutstanding || got.OutstandingOmitted != 6000 {
		t.Errorf("early %d and %d, outstanding %d and %d", len(got.Early), got.EarlyOmitted, len(got.Outstanding), got.OutstandingOmitted)
	}
}
