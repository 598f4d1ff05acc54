package poller_test

import (
	"context"
	"fmt"
	"slices"
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

func TestVersionReceivedIsTheVersionSent(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := spy(r.Client)
	r.Run(poller.New(config(r, p)))
	ref := r.IssueDirectly("1")
	p.await(t, ref, 2)
	if err := r.Sandbox.Scan(ref); err != nil {
		t.Fatal(err)
	}
	r.Pay(ref)
	if inv := r.Wait("1", events.EventPaid); inv.ErsReference == "" || inv.Late || inv.Change.By != poller.Name {
		t.Errorf("%+v", inv)
	}
	var v []int
	for _, q := range p.questions() {
		v = append(v, q.Version)
	}
	if v[0] != 0 || !slices.IsSorted(v) {
		t.Errorf("versions %v; the first is 0 and each later one the last received", v)
	}
	awaitOpen(t, r.Bus, 0)
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
func TestHintBringsThePollForward(t *testing.T) {
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
	r := rig.New(t, sandbox.Config{Reversal: time.Hour})
	cfg := config(r, r.Client)
	cfg.Interval = time.Hour
	r.Run(poller.New(cfg))
	r.Pay(r.IssueDirectly("up"))
	if err := r.Bus.Hint(events.KeyOf(rig.Shop, "up")); err != nil { // the poller is up once it has recorded this one
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

func TestStoppedPollerLeavesItsInvoicesToAnother(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	first := spy(r.Client)
	stop := r.Run(poller.New(config(r, first)))
	var refs []string
	for i := range 20 {
		refs = append(refs, r.IssueDirectly(fmt.Sprint(i)))
	}
	for _, ref := range refs {
		first.await(t, ref, 2)
	}
	stop()
	for _, ref := range refs {
		r.Pay(ref)
	}
	r.Run(poller.New(config(r, r.Client)))
	for i := range refs {
		r.Wait(fmt.Sprint(i), events.EventPaid)
	}
	r.Idle()
	if l := r.Sandbox.Ledger(); len(l.Reversals) != 0 {
		t.Errorf("%d reversals", len(l.Reversals))
	}
}

func TestTwoPollersRecordAPaymentOnce(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Run(poller.New(config(r, r.Client)))
	r.Run(poller.New(config(r, r.Client)))
	for i := range 20 {
		r.Pay(r.IssueDirectly(fmt.Sprint(i)))
	}
	for i := range 20 {
		r.Wait(fmt.Sprint(i), events.EventPaid)
	}
	r.Idle()
	for i := range 20 {
		if h := r.History(fmt.Sprint(i)); !slices.Equal(h, []events.Name{events.EventIssued, events.EventPaid}) {
			t.Errorf("%v", h)
		}
	}
}

func TestPollingOutlastsAProviderThatFails(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := always("", coded(seqr.SystemError))
	r.Run(poller.New(config(r, p)))
	ref := r.IssueDirectly("1")
	p.await(t, ref, 5)
	p.become(spy(r.Client).answer)
	r.Pay(ref)
	r.Wait("1", events.EventPaid)
	r.Idle()
	if r.Parked() != 0 {
		t.Error("parked")
	}
}

func TestLatePaymentIsRecordedAsLate(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	ref := r.IssueDirectly("1")
	_, err := r.Bus.Update(t.Context(), "canceler", events.KeyOf(rig.Shop, "1"), func(i events.Invoice) (events.Invoice, error) {
		return i.EndedBy(events.EventCanceled, "canceler", events.Fact{At: r.Bus.Now(), Why: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Pay(ref)
	r.Run(poller.New(config(r, r.Client)))
	if inv := r.Wait("1", events.EventPaid); !inv.Late || inv.Change.From != events.Canceled {
		t.Errorf("%+v", inv)
	}
}

func TestPaidWithoutTheNameOfThePaymentIsAskedAgain(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	r.Run(poller.New(config(r, newProvider(func(_ context.Context, n int, _ seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
		st := seqr.PaymentStatus{Status: seqr.StatusPaid}
		if n > 1 {
			st.ErsReference = "ers"
		}
		return st, nil
	}))))
	if inv := r.Wait("1", events.EventPaid); inv.ErsReference != "ers" {
		t.Errorf("recorded as final without an ersReference: %+v", inv)
	}
}
