package broker_test

import (
	"slices"
	"testing"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// connected joins two systems of a shop: the notifier has a consumer for each.
var connected = connections.File{Connections: map[string]connections.Connection{"acme": {Webhooks: []connections.Webhook{{Name: "erp"}, {Name: "crm"}}}}}

func role(t *testing.T, name string) broker.Role {
	t.Helper()
	all := broker.Roles(connected)
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
	for _, r := range broker.Roles(connected) {
		granted := r.May()
		for _, e := range events.Names() {
			if may, should := granted(broker.Publish, "invoices.acme.1."+string(e)), slices.Contains(by[e], r.Name); may != should {
				t.Errorf("%s may publish %s: %v, expected %v", r.Name, e, may, should)
			}
		}
	}
}

// Where the provider's answer differs from what is recorded, ask has the poller poll at once.
func TestTheOperatorMayAskForAPoll(t *testing.T) {
	if k := events.KeyOf("acme", "1"); !role(t, "operator").May()(broker.Publish, k.Hint()) {
		t.Errorf("the operator may not publish on %s", k.Hint())
	}
}

func TestEveryConsumerIsTakenByOneRole(t *testing.T) {
	names := map[string]string{}
	for _, d := range broker.Durables(connected) {
		if other, twice := names[d.Stream+"."+d.Name]; twice {
			t.Errorf("%s is there twice, for %s and %s", d.Name, other, d.Worker)
		}
		names[d.Stream+"."+d.Name] = d.Worker
		for _, r := range broker.Roles(connected) {
			may := r.May()(broker.Publish, "$JS.API.CONSUMER.MSG.NEXT."+d.Stream+"."+d.Name)
			if should := r.Name == d.Worker; may != should {
				t.Errorf("%s may take the messages of %s: %v", r.Name, d.Name, may)
			}
		}
	}
}

func TestNobodyMayPurgeOrDeleteWhatIsKept(t *testing.T) {
	for _, r := range append(broker.Roles(connected), broker.ShopRole("acme")) {
		for _, verb := range []string{"STREAM.DELETE.INVOICES", "STREAM.PURGE.INVOICES", "STREAM.MSG.DELETE.INVOICES", "STREAM.RESTORE.INVOICES", "CONSUMER.DELETE.INVOICES.receipter"} {
			if r.May()(broker.Publish, "$JS.API."+verb) {
				t.Errorf("%s may %s", r.Name, verb)
			}
		}
	}
}
