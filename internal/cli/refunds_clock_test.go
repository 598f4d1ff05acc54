package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

// How long a refund is being sent is judged by the broker's clock, whatever that of the person's machine says.
func TestRefundThatIsBeingSentIsNotSettledByAWrongClock(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	fact := func(age time.Duration) events.Fact { return events.Fact{At: r.Bus.Now().Add(-age), Why: "test"} }
	for id, age := range map[string]time.Duration{"now": 0, "stuck": 2 * reconciler.StuckAfter} {
		r.Record(rig.Recorded{ID: id, Reference: "ref-" + id})
		rig.AppendEvents(t, r.Bus, events.KeyOf(rig.Shop, id),
			func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+id, "poller", fact(age)) },
			func(inv events.Invoice) (events.Invoice, error) {
				return inv.Refunding(events.Refund{RefundID: "r", Amount: rig.Amount("4")}, fact(age))
			})
	}
	for name, off := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			b := r.ConnectWith(bus.Config{Clock: func() time.Time { return time.Now().Add(off) }})
			var out bytes.Buffer
			c := &console{ctx: t.Context(), out: &out, err: &out}
			settle := refundsResolveCmd{Invoice: invoiceArg{Key: events.KeyOf(rig.Shop, "now")}, Refund: "r", Not: true, By: "Ann"}
			if err := settle.Run(c, b); err == nil || !strings.Contains(err.Error(), "being sent") {
				t.Errorf("a refund that is being sent was settled: %v", err)
			}
			listed, err := refundsInDoubt(t.Context(), b, "")
			if err != nil || len(listed) != 1 || listed[0].InvoiceID != "stuck" {
				t.Errorf("listed as stuck: %+v, %v", listed, err)
			}
		})
	}
}
