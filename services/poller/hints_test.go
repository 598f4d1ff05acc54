package poller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// The invoicer's hints take nothing from the budget of those that anybody can send, and wait for none of it: with an interval of
// an hour an invoice without one would be asked about after half an hour.
func TestNewInvoicesArePolledAtOnceWhateverHintsCome(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Interval = time.Hour
	r.Run(poller.New(cfg))
	awaitHearing(t, r.Bus)
	r.Record(rig.Recorded{ID: "up", Reference: "up"})
	p.await(t, "up", 1)
	for range 4 * 200 { // a stranger uses the budget up, and all that is remembered of early hints
		for _, id := range []string{"up", "no such"} {
			if err := r.Bus.Hint(events.KeyOf(rig.Shop, id)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const n = 600 // three times the budget's burst
	recordAll(t, r, n, func(i int) rig.Recorded { return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i)} })
	for i := range n {
		p.await(t, fmt.Sprint(i), 1)
	}
}

// lastPaid gives the place in the stream of the last payment of the invoices that a prefix names.
func lastPaid(t *testing.T, r *rig.Rig, prefix string) (last uint64) {
	t.Helper()
	_, err := r.Bus.Scan(t.Context(), bus.Scan{Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}}, func(m bus.Entry) error {
		if strings.HasPrefix(m.Subject, "invoices."+rig.Shop+"."+prefix) {
			last = m.Seq
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// Without hints, ten invoices are spread over an interval of 4 s, so the last of the hinted ones comes before the last of
// the others.
func TestHintBringsTheNextPollForward(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{Reversal: time.Hour})
	cfg := config(r, r.Client)
	cfg.Interval = 4 * time.Second
	r.Run(poller.New(cfg))
	var keys []events.Key
	for i := range 10 {
		for _, name := range []string{"hinted", "plain"} {
			id := fmt.Sprint(name, i)
			ref := r.SendInvoice(id)
			r.Pay(ref)
			r.Record(rig.Recorded{ID: id, Reference: ref, Unhinted: true})
		}
		keys = append(keys, events.KeyOf(rig.Shop, fmt.Sprint("hinted", i)))
	}
	for _, k := range keys {
		if err := r.Bus.Hint(k); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		r.Wait(fmt.Sprint("hinted", i), events.EventPaid)
		r.Wait(fmt.Sprint("plain", i), events.EventPaid)
	}
	if h, p := lastPaid(t, r, "hinted"), lastPaid(t, r, "plain"); h > p {
		t.Errorf("the last hinted payment is event %d, the last other %d", h, p)
	}
}

// The invoicer hints when it has recorded `issued`; the buyer may be quicker still.
func TestHintBeforeTheInvoiceIsHeldIsNotLost(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{Reversal: time.Hour})
	cfg := config(r, r.Client)
	cfg.Interval = time.Hour
	r.Run(poller.New(cfg))
	awaitHearing(t, r.Bus)
	r.Pay(r.IssueDirectly("up"))
	if err := r.Bus.Hint(events.KeyOf(rig.Shop, "up")); err != nil {
		t.Fatal(err)
	}
	r.Wait("up", events.EventPaid)
	for i := range 10 {
		id := fmt.Sprint("hinted", i)
		ref := r.SendInvoice(id)
		r.Pay(ref)
		if err := r.Bus.Hint(events.KeyOf(rig.Shop, id)); err != nil {
			t.Fatal(err)
		}
		r.Record(rig.Recorded{ID: id, Reference: ref, Unhinted: true}) // paid before the poller hears of it
		r.Wait(id, events.EventPaid)
	}
}
