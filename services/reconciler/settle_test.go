package reconciler

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// One refund of 40 is in doubt. What the report proves of it hangs on everything else that is known.
func TestWhatAReportProvesOfADoubt(t *testing.T) {
	t.Parallel()
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
		b    ledger
		rows []row
		want string
	}{
		{"its row", ledger{Entries: whole}, with(theirs, q), happened},
		{"its row in a report that shows no other refund", ledger{Entries: whole[:1]}, []row{theirs[0], q}, happened},
		{"two rows", ledger{Entries: whole}, with(theirs, q, reported("R", "-40")), nothing},
		{"a row that may be of one done without a reference", ledger{Entries: and(rival)}, with(theirs, q), nothing},
		{"two rows, and one done without a reference", ledger{Entries: and(rival)}, with(theirs, q, reported("R", "-40")), nothing},
		{"a row that may be of one under way", ledger{Entries: whole, UnderWay: []events.LedgerEntry{rival}}, with(theirs, q), nothing},
		{"a row that may be of one known by another reference", ledger{Entries: and(refunded("Y", "40", 7))}, with(theirs, q), nothing},
		{"a row that may be of one that earlier reports lacked", ledger{Entries: whole, Outstanding: []events.LedgerEntry{rival}}, with(theirs, q), nothing},
		{"a row that may be of one that is not listed any more", ledger{Entries: whole, OutstandingOmitted: 1}, with(theirs, q), nothing},
		{"a row, and another carried over", ledger{Entries: whole, Early: []events.EarlyRow{openRow(reported("R", "-40"))}}, with(theirs, q), nothing},
		{"a row while a mark is in doubt", ledger{Entries: whole, Doubt: markInDoubt(1)}, with(theirs, q), nothing},

		{"absence", ledger{Entries: whole}, theirs, never},
		{"absence, and another under way that is absent too", ledger{Entries: whole, UnderWay: []events.LedgerEntry{rival}}, theirs, never},
		{"absence where no refund is known", ledger{Entries: whole[:1]}, theirs[:1], nothing},
		{"absence where refunds are not shown", ledger{Entries: whole}, theirs[:1], nothing},
		{"absence where one refund is shown and one is not", ledger{Entries: and(refunded("Y", "7", 6))}, theirs, nothing},
		{"absence where an earlier report lacked a refund", ledger{Entries: whole, Outstanding: []events.LedgerEntry{refunded("Y", "7", 2)}}, theirs, nothing},
		{"absence where one done without a reference is absent", ledger{Entries: and(refunded("", "7", 6))}, theirs, nothing},
		{"absence where one done without a reference has a row", ledger{Entries: and(refunded("", "7", 6))}, with(theirs, reported("R", "-7")), never},
		{"absence where a payment is missing", ledger{Entries: and(paid("A", "1", 2))}, theirs, nothing},
		{"absence where a refund is shown with another amount", ledger{Entries: and(refunded("Y", "7", 6))}, with(theirs, reported("Y", "-47")), nothing},
		{"absence where only a refund recorded after the mark is shown", ledger{Entries: []events.LedgerEntry{payment, refunded("Z", "20", 101)}}, theirs, nothing},
		{"absence while a mark is in doubt", ledger{Entries: whole, Doubt: markInDoubt(1)}, theirs, nothing},
		{"absence from a report that came after the one it belongs to", ledger{Entries: whole, Since: time.Now()}, theirs, nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.b.LedgerBefore, c.b.Terminal = 100, "t"
			comparison := compareWith(c.b)
			for _, r := range c.rows {
				comparison.addRow(r)
			}
			marked := time.Now()
			asked := marked.Add(-time.Hour)
			got := nothing
			for _, s := range settlements([]openRefund{{LedgerEntry: refunded("", "40", 6), AskedAt: asked, At: asked}}, comparison, marked) {
				got = s.ErsReference
			}
			if got != c.want {
				t.Errorf("proves %q, expected %q", got, c.want)
			}
		})
	}
}

func TestRowOfAReportProvesNothingOfARefundAskedForAfterItsMark(t *testing.T) {
	t.Parallel()
	c := compareWith(ledger{LedgerBefore: 100})
	c.addRow(reported("Q", "-40"))
	marked := time.Now()
	late := marked.Add(time.Minute)
	if got := settlements([]openRefund{{LedgerEntry: refunded("", "40", 106), AskedAt: late, At: late}}, c, marked); got != nil {
		t.Errorf("proved %+v", got)
	}
}
