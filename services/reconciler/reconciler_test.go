package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

func TestPeriodsOfADayReconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	ers := w.sold("acme", "1", "93.31")
	w.sold("beta", "2", "20.00") // another shop on the same terminal
	w.recordRefund("acme", "1", "r1", "3.31", func(inv events.Invoice) (events.Invoice, error) {
		return inv.RefundedAs("r1", w.paidBack(ers, "3.31"), w.fact("refunded"))
	})
	first := w.close("acme", "morning")
	w.expect(first, events.PeriodReconciled)
	if first.Rows != 3 || first.Matched != 3 || first.LedgerAfter != 0 || first.Terminal != terminal || first.Mark.Count != 1 {
		t.Errorf("first period %+v", first)
	}
	total := first.Totals[0]
	for whose, sums := range map[string]events.Totals{"ours": total.Ours, "theirs": total.Theirs} {
		if sums.Sales != 2 || sums.Refunds != 1 || sums.SalesSum.In("SEK") != "113.31" || sums.RefundSum.In("SEK") != "3.31" {
			t.Errorf("%s: %+v", whose, sums)
		}
	}
	w.sold("acme", "3", "7")
	second := w.close("beta", "noon")
	w.expect(second, events.PeriodReconciled)
	if second.Rows != 1 || second.LedgerAfter != first.LedgerBefore || second.Previous == nil || second.Previous.Key() != first.Key() {
		t.Errorf("second period has %d rows, begins at %d after %+v; the first ended at %d", second.Rows, second.LedgerAfter, second.Previous, first.LedgerBefore)
	}
	w.expect(w.close("acme", "evening"), events.PeriodReconciled)
}

func TestDifferencesEndAsLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	w.sold("acme", "good", "1.50")
	unknown := w.bought("unknown", "2")
	w.recordPaid("acme", "lost", "3", "2026050112000000000000099")
	wrong := w.bought("wrong", "4")
	w.recordPaid("acme", "wrong", "5", wrong)
	p := w.close("acme", "1")
	w.expect(p, events.PeriodMismatched, "amount_differs "+wrong, "missing_there 2026050112000000000000099", "missing_here "+unknown)
	if p.Differences != 3 || p.Matched != 1 || p.Rows != 3 {
		t.Errorf("%d differences, %d of %d matched", p.Differences, p.Matched, p.Rows)
	}
	said := reconciler.Summary(p)
	for _, want := range []string{"period 1 of acme: mismatched", "3 differences",
		"amount differs | acme/wrong | ersReference " + wrong + " | ours 5.00 SEK | theirs 4.00 SEK | ",
		"missing there | acme/lost | ", "missing here | ersReference " + unknown + " | ours – | theirs 2 | "} {
		if !strings.Contains(said, want) {
			t.Errorf("the summary lacks %q:\n%s", want, said)
		}
	}
	w.recordPaid("acme", "unknown", "2", unknown)
	w.expect(w.close("acme", "2"), events.PeriodReconciled)
}

func TestRefundInDoubtThatTheReportHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	ers := w.sold("acme", "1", "10")
	w.sold("acme", "2", "10")
	done := w.paidBack(ers, "4")
	for id := range 2 { // both are in doubt, one happened
		w.recordRefund("acme", fmt.Sprint(id+1), "r", "4", func(inv events.Invoice) (events.Invoice, error) {
			return inv.RefundInDoubt("r", w.fact("no answer"))
		})
	}
	p := w.close("acme", "1")
	w.expect(p, events.PeriodMismatched, "refund_differs "+done)
	if d := p.Lines[0]; d.RefundID+d.InvoiceID != "" || len(d.Fits) != 2 || strings.Contains(d.Text, "refunds resolve") ||
		!strings.Contains(d.Text, "fits 2 refunds of ours") || !strings.Contains(d.Text, "ask the provider") {
		t.Errorf("line %+v", d)
	}
	w.update("acme", "1", func(inv events.Invoice) (events.Invoice, error) {
		return inv.RefundedAs("r", done, w.fact("a person says so"))
	})
	w.expect(w.close("acme", "2"), events.PeriodReconciled)
}

// inDoubt is a refund whose answer was lost, asked for so long before the next mark that it must be in its report.
func (w *world) inDoubt(id, amount string) {
	w.t.Helper()
	long := events.Fact{At: w.bus.Now().Add(-time.Hour), Why: "no answer"}
	w.update("acme", id, func(inv events.Invoice) (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: "r", Amount: events.AmountOf(decimal.MustParse(amount))}, long)
	}, func(inv events.Invoice) (events.Invoice, error) { return inv.RefundInDoubt("r", long) })
}

func (w *world) refund(id string) events.Refund {
	w.t.Helper()
	inv, err := w.bus.Load(w.t.Context(), events.KeyOf("acme", id))
	if err != nil {
		w.t.Fatal(err)
	}
	r, _ := inv.Refund("r")
	return r
}

func TestReportSettlesARefundInDoubtThatHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	ers := w.sold("acme", "1", "10")
	w.sold("acme", "2", "10")
	done := w.paidBack(ers, "4")
	w.paidBackKnown("3", "2") // so the report is seen to show refunds
	w.inDoubt("1", "4")
	w.inDoubt("2", "5")
	w.expect(w.close("acme", "1"), events.PeriodReconciled)
	if r := w.refund("1"); r.Status != events.RefundDone || r.ErsReference != done {
		t.Errorf("the refund that happened: %+v", r)
	}
	if r := w.refund("2"); r.Status != events.RefundFailed {
		t.Errorf("the refund that did not happen: %+v", r)
	}
	w.expect(w.close("acme", "2"), events.PeriodReconciled)
}

func TestAbsenceProvesNothingOfARefundAskedForJustNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	w.paidBackKnown("2", "2")
	w.sold("acme", "1", "10")
	w.recordRefund("acme", "1", "r", "4", func(inv events.Invoice) (events.Invoice, error) {
		return inv.RefundInDoubt("r", w.fact("no answer"))
	})
	w.expect(w.close("acme", "1"), events.PeriodReconciled)
	if r := w.refund("1"); r.Status != events.RefundUnknown {
		t.Errorf("%+v", r)
	}
}

// recording is a provider that lets the poller record a payment while the report is being fetched.

type recording struct {
	reconciler.Provider
	once   *sync.Once
	record func()
}

func (r recording) ExecuteReport(ctx context.Context, q seqr.ExecuteReport) (seqr.Report, error) {
	report, err := r.Provider.ExecuteReport(ctx, q)
	if err == nil {
		defer r.once.Do(func() { r.record() })
	}
	return report, err
}

func TestPaymentThatIsRecordedAfterTheMarkIsEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ers := w.bought("1", "12")
	w.work(recording{w.provider(), &sync.Once{}, func() { w.recordPaid("acme", "1", "12", ers) }})
	first := w.close("acme", "1")
	w.expect(first, events.PeriodReconciled)
	if len(first.Early) != 1 || first.Early[0].ErsReference != ers {
		t.Errorf("early %+v", first.Early)
	}
	second := w.close("acme", "2")
	w.expect(second, events.PeriodReconciled)
	if len(second.Early) != 0 || second.Rows != 0 {
		t.Errorf("second: early %+v, %d rows", second.Early, second.Rows)
	}
}

func (w *world) parked(k events.PeriodKey) events.Parked {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), rig.Patience)
	defer cancel()
	var parked *reconciler.ParkedError
	if p, err := reconciler.Await(ctx, w.bus, k); !errors.As(err, &parked) {
		w.t.Fatalf("%s is %s (%v), expected it to be parked", k, p.State, err)
	}
	return parked.Parked
}

func TestEventThatIsNoPeriodIsParked(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not JSON":      "x",
		"other subject": `{"data":{"shop":"acme","period":"2","state":"CLOSING","change":{"event":"closing","from":"NONE","at":"2026-05-01T00:00:00Z","by":"x","why":""}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.work(w.provider())
			k := events.PeriodKeyOf("acme", "1")
			sub, err := w.bus.Conn().SubscribeSync(events.ParkedSubject(reconciler.Name, k.Shop, k.Period))
			if err != nil {
				t.Fatal(err)
			}
			if err := w.bus.PublishRaw(t.Context(), k.Subject("closing"), "", []byte(body)); err != nil {
				t.Fatal(err)
			}
			if _, err := sub.NextMsg(rig.Patience); err != nil {
				t.Errorf("not parked: %v", err)
			}
			if n := len(w.sandbox.Ledger().Periods); n != 0 {
				t.Errorf("%d periods were marked for it", n)
			}
		})
	}
}

func TestRedeliveryOfAFinishedClosingDoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sold("acme", "1", "10")
	stop := w.work(w.provider())
	p := w.close("acme", "1")
	last, err := w.bus.LastSeq(t.Context(), events.PeriodsStream)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	s, err := rig.JetStream(t, "", w.broker.InProcess()).Stream(t.Context(), events.PeriodsStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteConsumer(t.Context(), reconciler.Name); err != nil { // every event is delivered once more
		t.Fatal(err)
	}
	w.work(w.provider())
	w.expect(w.close("acme", "2"), events.PeriodReconciled)
	l, err := w.bus.LoadPeriod(t.Context(), p.Key())
	if err != nil || l.Seq > last {
		t.Errorf("the finished period has a new event %d (%v)", l.Seq, err)
	}
	if n := len(w.sandbox.Ledger().Periods); n != 2 {
		t.Errorf("the provider has %d periods, expected 2", n)
	}
}

func TestReportOfAnotherPeriodIsNotCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(strange{w.provider(), `<TransactionDetails><Meta><TransactionPeriodId>other</TransactionPeriodId></Meta></TransactionDetails>`})
	if p := w.parked(w.ask("acme", "1")); !strings.Contains(p.Reason, "got that of \"other\"") {
		t.Errorf("reason %q", p.Reason)
	}
}

// strange answers every report with the same document.

type strange struct {
	reconciler.Provider
	document string
}

func (s strange) ExecuteReport(context.Context, seqr.ExecuteReport) (seqr.Report, error) {
	return seqr.Report{Content: []byte(s.document)}, nil
}

func TestPreviousPeriodWithoutComparisonIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sold("acme", "1", "10")
	stop := w.work(strange{w.provider(), "no XML"})
	first := w.ask("acme", "1")
	if p := w.parked(first); !strings.Contains(p.Reason, "report") {
		t.Errorf("reason %q", p.Reason)
	}
	stop()
	w.sold("acme", "2", "5")
	w.work(w.provider())
	second := w.close("acme", "2")
	w.expect(second, events.PeriodReconciled)
	if len(second.Notes) != 1 || !strings.Contains(second.Notes[0], "the previous period acme/1 is parked before its comparison") {
		t.Errorf("notes %q", second.Notes)
	}
	if err := w.bus.Replay(t.Context(), bus.ParkedMessage{On: events.ParkedSubject(reconciler.Name, first.Shop, first.Period), Seq: 1, Parked: events.Parked{
		Worker: reconciler.Name, Consumer: reconciler.Name, Stream: events.PeriodsStream, Subject: first.Subject("marked"), Sequence: 3,
	}}); err != nil {
		t.Fatal(err)
	}
	w.expect(w.closed(first), events.PeriodReconciled)
}

func TestSummaryOfAClosingThatIsNotOver(t *testing.T) {
	t.Parallel()
	p, err := events.Period{}.ClosingAsked("acme", "1", "operator", events.Fact{Why: "end of\tday"})
	if err != nil {
		t.Fatal(err)
	}
	if said := reconciler.Summary(p); said != "period 1 of acme: closing\nlast: end of day\n" {
		t.Errorf("%q", said)
	}
}

func TestUnreadableLedgerIsParkedAndNotLeftOut(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not JSON":                   "x",
		"an amount that is none":     `{"data":{"shop":"acme","invoiceId":"1","terminal":"demo-terminal","total":12.5}}`,
		"a refund that is not in it": `{"data":{"shop":"acme","invoiceId":"1","terminal":"demo-terminal","total":"1","change":{"event":"refunded","refundId":"r"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.work(w.provider())
			if err := w.bus.PublishRaw(t.Context(), "invoices.acme.1.paid", "", []byte(body)); err != nil {
				t.Fatal(err)
			}
			if p := w.parked(w.ask("acme", "1")); !strings.Contains(p.Reason, "message 1 of INVOICES") {
				t.Errorf("reason %q", p.Reason)
			}
		})
	}
}
