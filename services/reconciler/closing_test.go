package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

// silent is a provider whose answers to the first marks are lost after the effect.

type silent struct {
	reconciler.Provider
	mu   *sync.Mutex
	left int
}

func (s *silent) MarkTransactionPeriod(ctx context.Context, q seqr.MarkTransactionPeriod) (string, error) {
	id, err := s.Provider.MarkTransactionPeriod(ctx, q)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left >= 0 {
		return "", &seqr.Error{Operation: "markTransactionPeriod", Sent: seqr.MaybeSent, Err: errors.New("connection reset")}
	}
	return id, err
}

func TestLostMarkIsExplainedAndNotHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ers := w.sold("acme", "1", "10")
	w.work(&silent{w.provider(), &sync.Mutex{}, 1})
	p := w.close("acme", "1")
	w.expect(p, events.PeriodMismatched, "missing_there "+ers)
	if p.Mark != (events.MarkAttempts{Count: 2, InDoubt: 1}) {
		t.Errorf("attempts %+v", p.Mark)
	}
	if !strings.Contains(p.Lines[0].Text, "a period whose id was lost") || !strings.Contains(reconciler.Summary(p), "note: an earlier mark") {
		t.Errorf("not explained:\n%s", reconciler.Summary(p))
	}
	if n := len(w.sandbox.Ledger().Periods); n != 2 {
		t.Errorf("the provider has %d periods, expected the lost one and ours", n)
	}
	w.sold("acme", "2", "5")
	w.expect(w.close("acme", "2"), events.PeriodReconciled)
}

func TestMarkThatNeverHappenedLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sold("acme", "1", "10")
	if err := w.sandbox.SetFaults(map[string][]sandbox.Fault{"markTransactionPeriod": {{Kind: sandbox.FaultResultCode, Code: int(seqr.SystemBusy), Count: 1}}}); err != nil {
		t.Fatal(err)
	}
	w.work(w.provider())
	p := w.close("acme", "1")
	w.expect(p, events.PeriodReconciled)
	if p.Mark != (events.MarkAttempts{Count: 2}) || len(p.Notes) != 0 {
		t.Errorf("attempts %+v, notes %q", p.Mark, p.Notes)
	}
}

// markAndDie does what a worker does that records its intent, marks, and dies before it can record the answer.
func (w *world) markAndDie(k events.PeriodKey) {
	w.t.Helper()
	if _, err := w.bus.UpdatePeriod(w.t.Context(), reconciler.Name, k, func(p events.Period) (events.Period, error) {
		return p.Marking(terminal, 2, w.fact("intent"))
	}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.client.MarkTransactionPeriod(w.t.Context(), seqr.MarkTransactionPeriod{
		As: w.shops["acme"].as, Parameters: map[string]string{seqr.ParamTerminalID: terminal},
	}); err != nil {
		w.t.Fatal(err)
	}
}

func TestCrashBetweenMarkAndItsRecordIsDetected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ers := w.sold("acme", "1", "10")
	k := w.ask("acme", "1")
	w.markAndDie(k)
	w.work(w.provider())
	p := w.closed(k)
	w.expect(p, events.PeriodMismatched, "missing_there "+ers)
	if p.Mark != (events.MarkAttempts{Count: 2, InDoubt: 1}) || !strings.Contains(p.Lines[0].Text, "id was lost") {
		t.Errorf("attempts %+v, line %q", p.Mark, p.Lines[0].Text)
	}
}

func TestRefusedMarkIsParkedAndReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sold("acme", "1", "10")
	good := w.shops["acme"]
	w.shops["acme"] = account{seqr.ResellerUser("demo-reseller", "9900", "wrong-secret"), terminal}
	stop := w.work(w.provider())
	k := w.ask("acme", "1")
	parked := w.parked(k)
	if !strings.Contains(parked.Reason, "AUTHENTICATION_FAILED") || strings.Contains(parked.Reason, "wrong-secret") {
		t.Errorf("reason %q", parked.Reason)
	}
	stop()
	w.shops["acme"] = good
	w.work(w.provider())
	if err := w.bus.Replay(t.Context(), bus.ParkedMessage{On: events.ParkedSubject(reconciler.Name, k.Shop, k.Period), Parked: parked, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	p := w.closed(k)
	w.expect(p, events.PeriodReconciled)
	if p.Mark.InDoubt != 0 {
		t.Errorf("a refused mark is in doubt: %+v", p.Mark)
	}
}

func TestShopWithoutCredentialsIsParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.work(w.provider())
	if p := w.parked(w.ask("nobody", "1")); !strings.Contains(p.Reason, `no credentials for closing "nobody" in the settings of any reconciler`) {
		t.Errorf("reason %q", p.Reason)
	}
}

func TestClosingsOfOneTerminalAtOnceAllReconcile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 6 {
		w.sold("acme", fmt.Sprint(i), "10")
	}
	for range 3 { // several copies
		w.work(w.provider())
	}
	var keys []events.PeriodKey
	for i := range 4 {
		keys = append(keys, w.ask("acme", fmt.Sprint("p", i)), w.ask("beta", fmt.Sprint("p", i)))
	}
	rows := 0
	for _, k := range keys {
		p := w.closed(k)
		w.expect(p, events.PeriodReconciled)
		rows += p.Rows
		if p.Mark.InDoubt != 0 {
			t.Errorf("%s: attempts %+v", k, p.Mark)
		}
	}
	if n := len(w.sandbox.Ledger().Periods); rows != 6 || n != len(keys) {
		t.Errorf("%d rows in %d provider periods, expected 6 in %d", rows, n, len(keys))
	}
}

// away is a provider that cannot be reached for a while.

type away struct {
	reconciler.Provider
	mu          *sync.Mutex
	mark, fetch int
}

func (a *away) gone(left *int, operation string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if *left--; *left >= 0 {
		return &seqr.Error{Operation: operation, Sent: seqr.NotSent, Err: errors.New("connection refused")}
	}
	return nil
}

func (a *away) MarkTransactionPeriod(ctx context.Context, q seqr.MarkTransactionPeriod) (string, error) {
	if err := a.gone(&a.mark, "markTransactionPeriod"); err != nil {
		return "", err
	}
	return a.Provider.MarkTransactionPeriod(ctx, q)
}

func (a *away) ExecuteReport(ctx context.Context, q seqr.ExecuteReport) (seqr.Report, error) {
	if err := a.gone(&a.fetch, "executeReport"); err != nil {
		return seqr.Report{}, err
	}
	return a.Provider.ExecuteReport(ctx, q)
}

func TestProviderThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sold("acme", "1", "10")
	w.work(&away{w.provider(), &sync.Mutex{}, 20, 20})
	p := w.close("acme", "1")
	w.expect(p, events.PeriodReconciled)
	if p.Mark != (events.MarkAttempts{Count: 21}) {
		t.Errorf("attempts %+v, expected 21 and no doubt", p.Mark)
	}
	if said := reconciler.Summary(p); !strings.Contains(said, "period 1 of acme: reconciled") || strings.Contains(said, "note:") {
		t.Errorf("summary:\n%s", said)
	}
}

// A mark whose answer was lost is not forgotten when the shop gets another terminal: it may have ended a period of the first one, whose
// next report then lacks payments.
func TestLostMarkIsRememberedWhenTheTerminalIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ers := w.sold("acme", "1", "10")
	k := w.ask("acme", "1")
	w.markAndDie(k)
	w.shops["acme"] = account{seqr.ResellerUser("demo-reseller", "9900", "demo-secret"), "another-terminal"}
	w.work(w.provider())
	if parked := w.parked(k); !strings.Contains(parked.Reason, terminal) || !strings.Contains(parked.Reason, "another-terminal") {
		t.Errorf("reason %q", parked.Reason)
	}
	p := w.close("beta", "1")
	w.expect(p, events.PeriodMismatched, "missing_there "+ers)
	if p.Mark.InDoubt != 1 || !strings.Contains(p.Lines[0].Text, "id was lost") {
		t.Errorf("attempts %+v, line %q", p.Mark, p.Lines[0].Text)
	}
}

// A closing that a person has dismissed holds up no other closing of its terminal: not by a mark that has no answer, nor by a comparison
// that is not made.
func TestDismissedClosingHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	dismiss := func(w *world, k events.PeriodKey, parked events.Parked) {
		t.Helper()
		if err := w.bus.Dismiss(t.Context(), bus.ParkedMessage{On: events.ParkedSubject(reconciler.Name, k.Shop, k.Period), Parked: parked, Seq: 1}, "Ann", "test"); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("mark", func(t *testing.T) {
		w := newWorld(t)
		ers := w.sold("acme", "1", "10")
		good := w.shops["acme"]
		w.shops["acme"] = account{good.as, "another-terminal"}
		k := w.ask("acme", "1")
		if _, err := w.bus.UpdatePeriod(t.Context(), reconciler.Name, k, func(p events.Period) (events.Period, error) {
			return p.Marking(terminal, 2, w.fact("intent"))
		}); err != nil {
			t.Fatal(err)
		}
		w.work(w.provider())
		dismiss(w, k, w.parked(k))
		p := w.close("beta", "1")
		w.expect(p, events.PeriodReconciled)
		if p.Mark.InDoubt != 1 {
			t.Errorf("attempts %+v; payment %s", p.Mark, ers)
		}
	})
	t.Run("comparison", func(t *testing.T) {
		w := newWorld(t)
		w.sold("acme", "1", "10")
		stop := w.work(strange{w.provider(), "no XML"})
		first := w.ask("acme", "1")
		dismiss(w, first, w.parked(first))
		stop()
		w.sold("acme", "2", "5")
		w.work(w.provider())
		second := w.close("acme", "2")
		w.expect(second, events.PeriodReconciled)
		if len(second.Notes) != 1 || !strings.Contains(second.Notes[0], "the previous period acme/1 is parked before its comparison") {
			t.Errorf("notes %q", second.Notes)
		}
	})
}
