package events_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestPeriodTableForEachStateAndEvent(t *testing.T) {
	allowed := map[events.PeriodState]map[events.PeriodEvent]events.PeriodState{
		events.PeriodNone:    {events.EventClosing: events.PeriodClosing},
		events.PeriodClosing: {events.EventClosing: events.PeriodClosing, events.EventMarked: events.PeriodMarked},
		events.PeriodMarked:  {events.EventReconciled: events.PeriodReconciled, events.EventMismatched: events.PeriodMismatched},
	}
	for _, from := range events.PeriodStates() {
		for _, e := range events.PeriodEvents() {
			want, ok := allowed[from][e]
			to, err := events.PeriodNext(from, e)
			switch {
			case ok && (err != nil || to != want):
				t.Errorf("%s on %s: got %s (%v), expected %s", e, from, to, err, want)
			case !ok && (!errors.Is(err, events.ErrNotAllowed) || to != from):
				t.Errorf("%s on %s: got %s (%v), expected a refusal that changes nothing", e, from, to, err)
			}
		}
	}
}

func periodFact(why string) events.Fact {
	return events.Fact{At: time.Date(2026, 5, 1, 22, 0, 0, 0, time.UTC), Why: why}
}

// closed leads a period to MARKED over two attempts to mark, the first of which was never answered.
func closed(t *testing.T) events.Period {
	t.Helper()
	var p events.Period
	for _, step := range []func() (events.Period, error){
		func() (events.Period, error) { return p.ClosingAsked("acme", "may 1", "operator", periodFact("asked")) },
		func() (events.Period, error) { return p.Marking("t1", 10, periodFact("first")) },
		func() (events.Period, error) { return p.Marking("t1", 12, periodFact("second")) },
		func() (events.Period, error) {
			return p.MarkedAs(events.Marked{TransactionPeriodID: "P1", LedgerAfter: 4, InDoubt: 1}, periodFact("marked"))
		},
	} {
		next, err := step()
		if err != nil {
			t.Fatal(err)
		}
		p = next
	}
	return p
}

func TestAttemptThatWasNeverAnsweredStaysInDoubt(t *testing.T) {
	p := closed(t)
	if p.State != events.PeriodMarked || p.LedgerBefore != 12 || p.LedgerAfter != 4 || p.TransactionPeriodID != "P1" {
		t.Fatalf("marked: %+v", p)
	}
	if want := (events.MarkAttempts{Count: 2, InDoubt: 2}); p.Mark != want {
		t.Errorf("attempts %+v, expected %+v: one of its own and one of another closing", p.Mark, want)
	}
	if p.Key().Subject("marked") != "periods.acme."+events.Token("may 1")+".marked" {
		t.Errorf("subject %s", p.Key().Subject("marked"))
	}
}

func TestAttemptProvedNotDoneIsNotInDoubt(t *testing.T) {
	p, err := events.Period{}.ClosingAsked("acme", "1", "operator", periodFact("asked"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.MarkNotDone(periodFact("none")); !errors.Is(err, events.ErrNotAllowed) {
		t.Errorf("an attempt that was not made was withdrawn: %v", err)
	}
	for range 2 {
		if p, err = p.Marking("t1", 3, periodFact("attempt")); err != nil {
			t.Fatal(err)
		}
		if p, err = p.MarkNotDone(periodFact("not sent")); err != nil {
			t.Fatal(err)
		}
	}
	if want := (events.MarkAttempts{Count: 2}); p.Mark != want {
		t.Errorf("attempts %+v, expected %+v", p.Mark, want)
	}
}

func TestPeriodIsAskedForOnce(t *testing.T) {
	for _, state := range events.PeriodStates()[1:] {
		if _, err := (events.Period{State: state}).ClosingAsked("acme", "1", "operator", periodFact("again")); !errors.Is(err, events.ErrNotAllowed) {
			t.Errorf("asked for in %s: %v", state, err)
		}
	}
	if _, err := closed(t).Marking("t1", 20, periodFact("again")); !errors.Is(err, events.ErrNotAllowed) {
		t.Errorf("marked a second time: %v", err)
	}
}

func TestComparisonDecidesTheEnd(t *testing.T) {
	for differences, want := range map[int]events.PeriodState{0: events.PeriodReconciled, 1: events.PeriodMismatched} {
		p, err := closed(t).Compared(events.Comparison{Rows: 3, Differences: differences}, periodFact("compared"))
		if err != nil || p.State != want || p.Rows != 3 || p.Change.From != events.PeriodMarked {
			t.Errorf("%d differences: %s (%v), expected %s", differences, p.State, err, want)
		}
		if _, err := p.Compared(events.Comparison{}, periodFact("again")); !errors.Is(err, events.ErrNotAllowed) {
			t.Errorf("compared twice: %v", err)
		}
	}
}

func TestPeriodSurvivesItsJSON(t *testing.T) {
	amount, err := events.ParseAmount("-10.5")
	if err != nil {
		t.Fatal(err)
	}
	p, err := closed(t).Compared(events.Comparison{
		Rows: 1, Differences: 1, Kinds: map[events.DifferenceKind]int{events.MissingHere: 1},
		Lines:       []events.Difference{{Kind: events.MissingHere, ErsReference: "R1", Theirs: &amount, Text: "not ours"}},
		Early:       []events.EarlyRow{{ErsReference: "R1", Amount: &amount}},
		Outstanding: []events.LedgerEntry{{ErsReference: "R2", Shop: "acme", InvoiceID: "1", Currency: "SEK", Amount: amount.Neg(), Seq: 7}},
		Totals:      []events.PeriodTotal{{Theirs: events.Totals{Refunds: 1, RefundSum: amount.Neg()}}},
	}, periodFact("compared"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back events.Period
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	equal := cmp.Comparer(func(a, b events.Amount) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(p, back, equal); diff != "" {
		t.Error(diff)
	}
}
