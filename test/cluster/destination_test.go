package cluster

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

const signing = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// destination is the system of the shop that is told of all its invoices by webhooks.
type destination struct {
	*shopsim.Receiver
	t           *testing.T
	connections string // the file
}

func newDestination(t *testing.T) destination {
	t.Helper()
	d := destination{Receiver: shopsim.NewReceiver(signing), t: t}
	server := httptest.NewServer(d)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	d.connections = procs.WriteFile(t, "connections.yaml", fmt.Sprintf("connections:\n  %s: {webhooks: [{name: erp, url: %q, secret_files: %q}]}\n",
		rig.Shop, server.URL, procs.WriteFile(t, "signing", signing)))
	return d
}

// check checks that all events of each invoice have come, in their order, and gives the number of requests. An event may come twice.
func (d destination) check(h *audit.History) int {
	d.t.Helper()
	seen, came, all := map[string]bool{}, map[events.Key][]events.Name{}, d.Received()
	for _, r := range all {
		inv, err := events.DecodeInvoice([]byte(r.Body))
		if r.Problem != nil || err != nil {
			d.t.Errorf("webhook %s: %v, %v", r.ID, r.Problem, err)
		}
		if !seen[r.ID] {
			seen[r.ID], came[inv.Key()] = true, append(came[inv.Key()], inv.Change.Event)
		}
	}
	for k, recorded := range h.Events {
		var names []events.Name
		for _, e := range recorded {
			names = append(names, e.Change.Event)
		}
		if !slices.Equal(came[k], names) {
			d.t.Errorf("%s: the destination was told %v, expected %v", k, came[k], names)
		}
	}
	return len(all)
}
