package events

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// constants gives the constants of state.go by their type.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	f, err := parser.ParseFile(token.NewFileSet(), "state.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		kind, typed := spec.Type.(*ast.Ident)
		if value, ok := slices.Concat(spec.Values, []ast.Expr{nil})[0].(*ast.BasicLit); ok && typed {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[kind.Name] = append(out[kind.Name], text)
		}
		return true
	})
	return out
}

// TestEveryStateAndEventIsInTheTables: a state or an event that is only declared has no attributes and no transition, and every
// question about it would be answered with no.
func TestEveryStateAndEventIsInTheTables(t *testing.T) {
	declared := constants(t)
	if len(declared["State"]) == 0 || len(declared["Name"]) == 0 || len(declared["Actor"]) == 0 {
		t.Fatalf("constants are not found: %v", declared)
	}
	reached, used, acts := map[State]bool{None: true}, map[Name]bool{}, map[string]bool{}
	for _, tr := range Transitions() {
		used[tr.On] = true
		for _, from := range tr.From {
			reached[tr.to(from)] = true
		}
		for _, a := range tr.By {
			acts[string(a)] = true
		}
	}
	for _, s := range declared["State"] {
		if s := State(s); !slices.Contains(States(), s) || !slices.Contains(declared["stage"], string(s.stage())) {
			t.Errorf("state %s has no row in stateTable, or none of the stages", s)
		} else if !reached[s] {
			t.Errorf("no transition leads to %s", s)
		}
	}
	for _, e := range declared["Name"] {
		if e := Name(e); !slices.Contains(Names(), e) || !slices.Contains(declared["subject"], string(e.row().subject)) {
			t.Errorf("event %s has no row in eventTable, or no subject", e)
		} else if !used[e] {
			t.Errorf("event %s is in no transition", e)
		}
	}
	for _, a := range declared["Actor"] {
		if !acts[a] {
			t.Errorf("%s may record nothing", a)
		}
	}
	if len(States()) != len(declared["State"]) || len(Names()) != len(declared["Name"]) || len(reached) != len(States()) || len(used) != len(Names()) {
		t.Errorf("a row stands twice, or is of nothing that is declared: %v, %v", States(), Names())
	}
}

// TestStagesFollowTheMoney holds for whatever states there are: money that was taken stays taken, a refund is one of a payment, and
// only the poller says that a payment was made.
func TestStagesFollowTheMoney(t *testing.T) {
	may := map[stage][]stage{nothingYet: {open, ended}, open: {open, paid, ended}, ended: {ended, paid}, paid: {paid}}
	leaves := map[State]map[stage]bool{}
	for _, tr := range Transitions() {
		for _, from := range tr.From {
			to := tr.to(from)
			if leaves[from] == nil {
				leaves[from] = map[stage]bool{}
			}
			leaves[from][to.stage()] = true
			if !slices.Contains(may[from.stage()], to.stage()) {
				t.Errorf("%s on %s leads to %s: from %s to %s", tr.On, from, to, from.stage(), to.stage())
			}
			if to.Paid() && !from.Paid() && (tr.On != EventPaid || !slices.Equal(tr.By, []Actor{ActorPoller})) {
				t.Errorf("%s by %v makes %s of %s: only paid by the poller may", tr.On, tr.By, to, from)
			}
			if tr.On.AboutRefund() && !from.Paid() {
				t.Errorf("%s on %s: nothing was paid", tr.On, from)
			}
			if to.Open() && from == None && (tr.On != EventIssued || !slices.Equal(tr.By, []Actor{ActorInvoicer})) {
				t.Errorf("%s by %v opens an invoice: only issued by the invoicer may", tr.On, tr.By)
			}
			if (from.Paid() || from.Ended()) && to.Open() {
				t.Errorf("%s on %s opens it again", tr.On, from)
			}
		}
		if tr.On == EventRefunding && !slices.Equal(tr.By, []Actor{ActorRefunder}) {
			t.Errorf("refunding by %v: only the refunder asks for refunds", tr.By)
		}
	}
	for _, s := range States() {
		if s.Open() && !leaves[s][paid] && !leaves[s][open] {
			t.Errorf("%s is open, and can never be paid", s)
		}
	}
}

// TestEachStepHasOneRow: two rows for the same event and state would contradict each other, unless they are the two of a refund,
// which have the same actors.
func TestEachStepHasOneRow(t *testing.T) {
	rows := map[step]bool{}
	for _, tr := range Transitions() {
		for _, from := range tr.From {
			at := step{string(from), tr.label()}
			if rows[at] {
				t.Errorf("%s on %s stands twice", tr.label(), from)
			}
			rows[at] = true
			if recorders := RecordersOf(from, tr.On); !slices.Equal(recorders, tr.By) || len(recorders) == 0 {
				t.Errorf("%s on %s: by %v and by %v", tr.label(), from, recorders, tr.By)
			}
		}
	}
}

func TestStepThatTheTableLacksIsRefused(t *testing.T) {
	for _, from := range append(States(), "", "INVENTED") {
		for _, e := range append(Names(), "invented") {
			to, err := Next(from, e, false)
			allowed := slices.ContainsFunc(Transitions(), func(tr Transition) bool { return tr.On == e && slices.Contains(tr.From, from) })
			if allowed != (err == nil) || !allowed && (!errors.Is(err, ErrNotAllowed) || to != from) {
				t.Errorf("%s on %q: %s, %v", e, from, to, err)
			}
			if can := (Invoice{State: from}).Can(e); can != (allowed || from == "" && len(RecordersOf(None, e)) > 0) {
				t.Errorf("%s on %q: Can is %v", e, from, can)
			}
		}
	}
}

func TestRefundOfAllThatIsLeftEndsTheInvoice(t *testing.T) {
	for _, from := range States() {
		to, err := Next(from, EventRefunded, true)
		if may := (Invoice{State: from}).Can(EventRefunding); may != (err == nil) || may && to != Refunded {
			t.Errorf("from %s: %s, %v", from, to, err)
		}
	}
}

func TestStateAnswersOneOfThreeQuestionsWithYes(t *testing.T) {
	for _, s := range append(States(), "", "INVENTED") {
		yes := 0
		for _, answer := range []bool{s.Open(), s.Paid(), s.Ended()} {
			if answer {
				yes++
			}
		}
		if known := s != None && s != "" && s != "INVENTED"; known != (yes == 1) || yes > 1 {
			t.Errorf("%q: open %v, paid %v, ended %v", s, s.Open(), s.Paid(), s.Ended())
		}
	}
}

func TestEventsThatOpenAndClose(t *testing.T) {
	var opens, closes []Name
	for _, e := range Names() {
		if e.Opens() {
			opens = append(opens, e)
		}
		if e.Closes() {
			closes = append(closes, e)
		}
	}
	if !slices.Contains(opens, EventIssued) || slices.ContainsFunc(opens, Name.Closes) {
		t.Errorf("%v open", opens)
	}
	for _, e := range []Name{EventPaid, EventCanceled, EventFailed, EventExpired} {
		if !slices.Contains(closes, e) {
			t.Errorf("%s does not close", e)
		}
	}
	if slices.Contains(closes, EventOverdue) || slices.Contains(closes, EventReserved) || slices.Contains(closes, EventRefunded) {
		t.Errorf("%v close", closes)
	}
}

func BenchmarkNext(b *testing.B) {
	for b.Loop() {
		if _, err := Next(Issued, EventPaid, false); err != nil {
			b.Fatal(err)
		}
	}
}
