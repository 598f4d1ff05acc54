package reconciler_test

import (
	"fmt"
	"testing"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// history records payments and refunds of the terminal, all of them settled, and ends with a closing; then other
// closings, which lie long before the next period.
func (w *world) history(n int) {
	w.t.Helper()
	for i := range n {
		id := fmt.Sprint("old", i)
		w.recordPaid("acme", id, "10", "ers-"+id)
		w.recordRefund("acme", id, "r", "4", func(i events.Invoice) (events.Invoice, error) {
			return i.RefundInDoubt("r", w.fact("no answer"))
		})
		w.update("acme", id, func(i events.Invoice) (events.Invoice, error) {
			return i.RefundSettled("r", true, "ref-"+id, w.fact("seen"))
		})
		if err := w.bus.PublishRaw(w.t.Context(), fmt.Sprintf("periods.zeta.%d.reconciled", i), "", []byte("{}")); err != nil {
			w.t.Fatal(err)
		}
	}
	w.close("acme", "old")
}

// messages that this process gets from the broker while do runs.
func (w *world) messages(do func()) uint64 {
	before := w.bus.Conn().Stats().InMsgs
	do()
	return w.bus.Conn().Stats().InMsgs - before
}

// What a closing reads depends on its period and on what the one before left open, not on all that ever was.
func TestClosingReadsItsPeriodAndNotTheHistory(t *testing.T) {
	t.Parallel()
	read := map[int]uint64{}
	for _, n := range []int{10, 100} {
		w := newWorld(t)
		w.work(w.provider())
		w.history(n)
		w.sold("acme", "1", "10")
		w.inDoubt("1", "4")
		read[n] = w.messages(func() { w.close("acme", "1") })
		t.Logf("after %d payments and refunds: %d messages", n, read[n])
	}
	if read[100] > read[10]+50 {
		t.Errorf("with a history of ten times the length %d messages are read, not %d", read[100], read[10])
	}
}

// A refund that came into doubt two periods ago is known although only the last period is read.
func TestDoubtIsCarriedFromPeriodToPeriod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	ers := w.sold("acme", "1", "10")
	w.inDoubt("1", "4")
	first := w.close("acme", "1")
	if o := first.OpenRefunds; o == nil || len(o.Invoices) != 1 || o.Invoices[0] != (events.InvoiceRef{Shop: "acme", InvoiceID: "1"}) {
		t.Fatalf("the first period leaves %+v", o)
	}
	w.sold("acme", "2", "10")
	w.close("acme", "2")
	w.paidBack(ers, "4")
	third := w.close("acme", "3")
	if r := w.refund("1"); r.Status != events.RefundDone || r.ErsReference == "" {
		t.Errorf("the report of the third period has the refund, and it is %s under %q", r.Status, r.ErsReference)
	}
	if third.OpenRefunds == nil || len(third.OpenRefunds.Invoices) != 0 {
		t.Errorf("the third period leaves %+v", third.OpenRefunds)
	}
}

// A period that an older version compared does not say which refunds it left open: they are looked for from the beginning.
func TestDoubtBeforeAPeriodOfAnOlderVersionIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ers := w.sold("acme", "1", "10")
	w.inDoubt("1", "4")
	before, err := w.bus.LastSeq(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	k := w.ask("acme", "old")
	for _, step := range []func(events.Period) (events.Period, error){
		func(p events.Period) (events.Period, error) { return p.Marking(terminal, before, w.fact("attempt")) },
		func(p events.Period) (events.Period, error) {
			return p.MarkedAs(events.Marked{TransactionPeriodID: "P0"}, w.fact("marked"))
		},
		func(p events.Period) (events.Period, error) {
			return p.Compared(events.Comparison{Outstanding: []events.LedgerEntry{{
				ErsReference: ers, Shop: "acme", InvoiceID: "1", Currency: "SEK", Amount: events.AmountOf(decimal.MustParse("10")), Seq: 2,
			}}}, w.fact("compared"))
		},
	} {
		if _, err := w.bus.UpdatePeriod(t.Context(), "reconciler", k, step); err != nil {
			t.Fatal(err)
		}
	}
	w.work(w.provider())
	w.paidBack(ers, "4")
	w.close("acme", "1")
	if r := w.refund("1"); r.Status != events.RefundDone {
		t.Errorf("the report has the refund, and it is %s", r.Status)
	}
}
