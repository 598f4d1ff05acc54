package events_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// life is the table once more, written from the other side: for each state, where each event leads.
// What is not here must not be allowed.
var life = map[events.State]map[events.Name]events.State{
	events.None: {events.EventIssued: events.Issued, events.EventRejected: events.Rejected, events.EventCanceled: events.Canceled},
	events.Issued: {
		events.EventPaid: events.Paid, events.EventReserved: events.Reserved, events.EventFailed: events.Failed,
		events.EventCanceled: events.Canceled, events.EventOverdue: events.Issued, events.EventExpired: events.Expired,
	},
	events.Reserved: {
		events.EventPaid: events.Paid, events.EventFailed: events.Failed, events.EventCanceled: events.Canceled,
		events.EventOverdue: events.Reserved, events.EventExpired: events.Expired,
	},
	events.Rejected: {},
	events.Paid: {
		events.EventReceipted: events.Receipted, events.EventRefunding: events.Paid, events.EventRefunded: events.Paid,
		events.EventRefundFailed: events.Paid, events.EventRefundUnknown: events.Paid,
	},
	events.Receipted: {
		events.EventRefunding: events.Receipted, events.EventRefunded: events.Receipted,
		events.EventRefundFailed: events.Receipted, events.EventRefundUnknown: events.Receipted,
	},
	events.Canceled: {events.EventPaid: events.Paid},
	events.Expired:  {events.EventPaid: events.Paid},
	events.Failed:   {events.EventPaid: events.Paid},
	events.Refunded: {events.EventReceipted: events.Refunded, events.EventRefundFailed: events.Refunded},
}

func TestEveryStateAndEvent(t *testing.T) {
	if len(life) != len(events.States()) {
		t.Fatalf("%d states in the table, %d here", len(events.States()), len(life))
	}
	for _, from := range events.States() {
		for _, e := range events.Names() {
			want, allowed := life[from][e]
			got, err := events.Next(from, e, false)
			switch {
			case allowed && (err != nil || got != want):
				t.Errorf("%s on %s: got %s, %v; want %s", e, from, got, err, want)
			case !allowed && !errors.Is(err, events.ErrNotAllowed):
				t.Errorf("%s on %s: got %s, %v; it must not be allowed", e, from, got, err)
			case !allowed && got != from:
				t.Errorf("%s on %s: refused, yet the state became %s", e, from, got)
			}
		}
	}
}

func TestRefundOfAllThatIsLeftEndsTheInvoice(t *testing.T) {
	for _, from := range events.States() {
		got, err := events.Next(from, events.EventRefunded, true)
		if from == events.Paid || from == events.Receipted {
			if err != nil || got != events.Refunded {
				t.Errorf("from %s: %s, %v", from, got, err)
			}
		} else if err == nil {
			t.Errorf("from %s: allowed", from)
		}
	}
}

// recorders is who records what, written from the other side.
var recorders = map[events.Name]string{
	events.EventIssued: "invoicer", events.EventRejected: "invoicer", events.EventCanceled: "poller canceler",
	events.EventPaid: "poller", events.EventReserved: "poller", events.EventFailed: "poller", events.EventOverdue: "poller",
	events.EventExpired: "poller canceler", events.EventReceipted: "receipter", events.EventRefunding: "refunder",
	events.EventRefunded: "refunder reconciler operator", events.EventRefundFailed: "refunder reconciler operator",
	events.EventRefundUnknown: "refunder reconciler operator",
}

func TestWhoMayRecordEachEvent(t *testing.T) {
	for _, e := range events.Names() {
		want := strings.Fields(recorders[e])
		for _, a := range append(events.Actors(), "", "gateway", "test") {
			if may := slices.Contains(want, string(a)); events.MayRecord(e, a) != may {
				t.Errorf("MayRecord(%s, %q) is %v", e, a, !may)
			}
		}
	}
	if events.MayRecord("invented", events.ActorPoller) {
		t.Error("the poller may record an event that does not exist")
	}
}

func TestOpenAndClosedStates(t *testing.T) {
	for _, s := range append(events.States(), "") {
		open, nothing := s == events.Issued || s == events.Reserved, s == events.None || s == ""
		if s.Open() != open || s.Closed() != (!open && !nothing) {
			t.Errorf("%q: open %v, closed %v", s, s.Open(), s.Closed())
		}
	}
}

func TestDiagramInTheDocsIsTheTable(t *testing.T) {
	const file, from, to = "../../docs/events.md", "<!-- states: generated from pkg/events -->\n", "<!-- /states -->"
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(body), from)
	now, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no generated part", file)
	}
	want := events.Mermaid()
	if now == want {
		return
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(before+from+want+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s drifted; UPDATE=1 go test ./pkg/events mends it\n%s", file, cmp.Diff(now, want))
}

func BenchmarkNext(b *testing.B) {
	for b.Loop() {
		if _, err := events.Next(events.Issued, events.EventPaid, false); err != nil {
			b.Fatal(err)
		}
	}
}
