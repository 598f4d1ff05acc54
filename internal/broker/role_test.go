package broker_test

import (
	"slices"
	"testing"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func role(t *testing.T, name string) broker.Role {
	t.Helper()
	all := broker.Roles()
	i := slices.IndexFunc(all, func(r broker.Role) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no role %q", name)
	}
	return all[i]
}

func TestWhoRecordsAnEventMayPublishItAndNoOtherWorkerMay(t *testing.T) {
	by := map[events.Name][]string{}
	for _, tr := range events.Transitions() {
		for _, worker := range tr.By {
			role(t, string(worker))
			by[tr.On] = append(by[tr.On], string(worker))
		}
	}
	for _, r := range broker.Roles() {
		granted := r.May()
		for _, e := range events.Names() {
			if may, should := granted(broker.Publish, "invoices.acme.1."+string(e)), slices.Contains(by[e], r.Name); may != should {
				t.Errorf("%s may publish %s: %v, expected %v", r.Name, e, may, should)
			}
		}
	}
}

func TestEveryConsumerIsTakenByOneRole(t *testing.T) {
	names := map[string]string{}
	for _, d := range broker.Durables() {
		if other, twice := names[d.Stream+"."+d.Name]; twice {
			t.Errorf("%s is there twice, for %s and %s", d.Name, other, d.Worker)
		}
		names[d.Stream+"."+d.Name] = d.Worker
		for _, r := range broker.Roles() {
			may := r.May()(broker.Publish, "$JS.API.CONSUMER.MSG.NEXT."+d.Stream+"."+d.Name)
			if should := r.Name == d.Worker; may != should {
				t.Errorf("%s may take the messages of %s: %v", r.Name, d.Name, may)
			}
		}
	}
}

func TestNobodyMayPurgeOrDeleteWhatIsKept(t *testing.T) {
	for _, r := range append(broker.Roles(), broker.ShopRole("acme")) {
		for _, verb := range []string{"STREAM.DELETE.INVOICES", "STREAM.PURGE.INVOICES", "STREAM.MSG.DELETE.INVOICES", "STREAM.RESTORE.INVOICES", "CONSUMER.DELETE.INVOICES.receipter"} {
			if r.May()(broker.Publish, "$JS.API."+verb) {
				t.Errorf("%s may %s", r.Name, verb)
			}
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a.b", true}, {"a.*", "a.b", true}, {"a.>", "a.b", true}, {"a.>", "a.b.c", true}, {"a.>", "a.>", true}, {"a.>", "a.*", true}, {"a.*", "a.*", true}, {">", "a", true},
		{"a.b", "a.*", false}, {"a.*", "a.>", false}, {"a.>", "a", false}, {"a.*", "a", false}, {"a.*", "a.b.c", false}, {"a.b", "a", false}, {"a", "a.b", false}, {"a.*.c", "a.>", false},
	} {
		if got := broker.Covers(c.a, c.b); got != c.want {
			t.Errorf("Covers(%q, %q) = %v", c.a, c.b, got)
		}
	}
}
