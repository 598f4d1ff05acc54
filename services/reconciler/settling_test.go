package reconciler_test

import (
	"bytes"
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

// paidBackKnown is a payment of 10, and a refund of it that is both made and recorded with its reference.
func (w *world) paidBackKnown(id, total string) {
	w.t.Helper()
	ref := w.paidBack(w.sold("acme", id, "10"), total)
	w.recordRefund("acme", id, "known", total, func(i events.Invoice) (events.Invoice, error) {
		return i.RefundedAs("known", ref, w.fact("refunded"))
	})
}

// asked is the intent to refund 4, an hour ago.
func (w *world) asked(refund string) func(events.Invoice) (events.Invoice, error) {
	return func(i events.Invoice) (events.Invoice, error) {
		return i.Refunding(events.Refund{RefundID: refund, Amount: events.AmountOf(decimal.MustParse("4"))},
			events.Fact{At: w.bus.Now().Add(-time.Hour), Why: "intent"})
	}
}

// The provider paid back 4 of invoice 1, and never those 4 of invoice 2 that are in doubt.
func TestRowOfAnotherRefundSettlesNoDoubt(t *testing.T) {
	t.Parallel()
	type step = func(events.Invoice) (events.Invoice, error)
	for name, other := range map[string]func(w *world) []step{
		"proved by 98": func(w *world) []step {
			return []step{w.asked("r"), func(i events.Invoice) (events.Invoice, error) { return i.RefundedAs("r", "", w.fact("98")) }}
		},
		"settled by a person who had no reference": func(w *world) []step {
			return []step{w.asked("r"),
				func(i events.Invoice) (events.Invoice, error) { return i.RefundInDoubt("r", w.fact("no answer")) },
				func(i events.Invoice) (events.Invoice, error) { return i.RefundSettled("r", true, "", w.fact("seen")) }}
		},
		"without an answer so far": func(w *world) []step { return []step{w.asked("r")} },
		"waiting for its next attempt": func(w *world) []step {
			return []step{w.asked("r"), func(i events.Invoice) (events.Invoice, error) { return i.RefundNotSent("r", 1, w.fact("busy")) }}
		},
		"under way beside one that ended since": func(w *world) []step {
			return []step{w.asked("r"), w.asked("other"), func(i events.Invoice) (events.Invoice, error) {
				return i.RefundRefused(events.Refund{RefundID: "other"}, w.fact("refused"))
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.work(w.provider())
			ers := w.sold("acme", "1", "10")
			w.sold("acme", "2", "10")
			w.paidBackKnown("3", "2")
			w.paidBack(ers, "4")
			w.update("acme", "1", other(w)...)
			w.inDoubt("2", "4")
			p := w.close("acme", "1")
			if r := w.refund("2"); r.Status != events.RefundUnknown {
				t.Errorf("a refund that never happened is %s under %q", r.Status, r.ErsReference)
			}
			if len(p.Lines) != 1 || p.Lines[0].Kind != events.RefundDiffers {
				t.Errorf("nobody is told:\n%s", reconciler.Summary(p))
			}
		})
	}
}

// unshowing is a provider whose reports leave refunds out.
type unshowing struct{ reconciler.Provider }

var refundRow = regexp.MustCompile(`<Row>(<TerminalId>[^<]*</TerminalId><CashierId>[^<]*</CashierId>)<SalesAmount>-[^<]*</SalesAmount><ErsReference>[^<]*</ErsReference></Row>`)

func (u unshowing) ExecuteReport(ctx context.Context, q seqr.ExecuteReport) (seqr.Report, error) {
	report, err := u.Provider.ExecuteReport(ctx, q)
	report.Content = refundRow.ReplaceAll(report.Content, nil)
	if bytes.Contains(report.Content, []byte("<SalesAmount>-")) {
		panic("a refund is left in the report")
	}
	return report, err
}

// The refund in doubt happened: if it were taken for failed, its amount would be paid back a second time.
func TestAbsenceFromAReportThatShowsNoRefundsProvesNothing(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]func(w *world){
		"another refund is known": func(w *world) { w.paidBackKnown("2", "2") },
		"no other is":             func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.work(unshowing{w.provider()})
			w.paidBack(w.sold("acme", "1", "10"), "4")
			known(w)
			w.inDoubt("1", "4")
			w.close("acme", "1")
			if r := w.refund("1"); r.Status != events.RefundUnknown {
				t.Errorf("a refund that happened is %s: %s", r.Status, r.Detail)
			}
		})
	}
}

// The same in a report that may show refunds: it has had none to show.
func TestAbsenceWhereNoRefundIsKnownProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	w.sold("acme", "1", "10")
	w.inDoubt("1", "4")
	w.expect(w.close("acme", "1"), events.PeriodReconciled)
	if r := w.refund("1"); r.Status != events.RefundUnknown {
		t.Errorf("%+v", r)
	}
}
