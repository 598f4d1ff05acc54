package reconciler

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// One refund of 40 is in doubt. What the report proves of it hangs on everything else that is known.
func TestWhatAReportProvesOfADoubt(t *testing.T) {
	payment, known := paid("P", "100", 1), refunded("Z", "20", 5)
	whole := []events.LedgerEntry{payment, known}
	theirs := []row{reported("P", "100"), reported("Z", "-20")}
	rival := refunded("", "40", 7)
	with := func(rows []row, more ...row) []row { return append(append([]row{}, rows...), more...) }
	and := func(more ...events.LedgerEntry) []events.LedgerEntry {
		return append(append([]events.LedgerEntry{}, whole...), more...)
	}
	q := reported("Q", "-40")
	const nothing, happened, never = "nothing", "Q", ""
	for _, c := range []struct {
		name string
		b    books
		rows []row
		want string
	}{
		{"its row", books{Ledger: whole}, with(theirs, q), happened},
		{"its row in a report that shows no other refund", books{Ledger: whole[:1]}, []row{theirs[0], q}, happened},
		{"two rows", books{Ledger: whole}, with(theirs, q, reported("R", "-40")), nothing},
		{"a row that may be of one done without a reference", books{Ledger: and(rival)}, with(theirs, q), nothing},
		{"two rows, and one done without a reference", books{Ledger: and(rival)}, with(theirs, q, reported("R", "-40")), nothing},
		{"a row that may be of one under way", books{Ledger: whole, UnderWay: []events.LedgerEntry{rival}}, with(theirs, q), nothing},
		{"a row that may be of one known by another reference", books{Ledger: and(refunded("Y", "40", 7))}, with(theirs, q), nothing},
		{"a row that may be of one that earlier reports lacked", books{Ledger: whole, Outstanding: []events.LedgerEntry{rival}}, with(theirs, q), nothing},
		{"a row that may be of one that is not listed any more", books{Ledger: whole, OutstandingOmitted: 1}, with(theirs, q), nothing},
		{"a row, and another carried over", books{Ledger: whole, Early: []events.EarlyRow{openRow(reported("R", "-40"))}}, with(theirs, q), nothing},
		{"a row while a mark is in doubt", books{Ledger: whole, Doubt: markInDoubt(1)}, with(theirs, q), nothing},

		{"absence", books{Ledger: whole}, theirs, never},
		{"absence, and another under way that is absent too", books{Ledger: whole, UnderWay: []events.LedgerEntry{rival}}, theirs, never},
		{"absence where no refund is known", books{Ledger: whole[:1]}, theirs[:1], nothing},
		{"absence where refunds are not shown", books{Ledger: whole}, theirs[:1], nothing},
		{"absence where one refund is shown and one is not", books{Ledger: and(refunded("Y", "7", 6))}, theirs, nothing},
		{"absence where an earlier report lacked a refund", books{Ledger: whole, Outstanding: []events.LedgerEntry{refunded("Y", "7", 2)}}, theirs, nothing},
		{"absence where one done without a reference is absent", books{Ledger: and(refunded("", "7", 6))}, theirs, nothing},
		{"absence where one done without a reference has a row", books{Ledger: and(refunded("", "7", 6))}, with(theirs, reported("R", "-7")), never},
		{"absence where a payment is missing", books{Ledger: and(paid("A", "1", 2))}, theirs, nothing},
		{"absence where a refund is shown with another amount", books{Ledger: and(refunded("Y", "7", 6))}, with(theirs, reported("Y", "-47")), nothing},
		{"absence where only a refund recorded after the mark is shown", books{Ledger: []events.LedgerEntry{payment, refunded("Z", "20", 101)}}, theirs, nothing},
		{"absence while a mark is in doubt", books{Ledger: whole, Doubt: markInDoubt(1)}, theirs, nothing},
		{"absence from a report that came after the one it belongs to", books{Ledger: whole, Since: time.Now()}, theirs, nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.b.LedgerBefore, c.b.Terminal = 100, "t"
			comparison := compareWith(c.b)
			for _, r := range c.rows {
				comparison.row(r)
			}
			marked := time.Now()
			asked := marked.Add(-time.Hour)
			got := nothing
			for _, s := range settlements([]doubt{{refunded("", "40", 6), asked, asked}}, comparison, marked) {
				got = s.ErsReference
			}
			if got != c.want {
				t.Errorf("proves %q, expected %q", got, c.want)
			}
		})
	}
}

func TestRowOfAReportProvesNothingOfARefundAskedForAfterItsMark(t *testing.T) {
	c := compareWith(books{LedgerBefore: 100})
	c.row(reported("Q", "-40"))
	marked := time.Now()
	late := marked.Add(time.Minute)
	if got := settlements([]doubt{{refunded("", "40", 106), late, late}}, c, marked); got != nil {
		t.Errorf("proved %+v", got)
	}
}
