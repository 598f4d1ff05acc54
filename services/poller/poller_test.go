package poller_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

func TestVersionThatWasReceivedIsSentWithTheNextPoll(t *testing.T) {
	t.Parallel()
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

func TestStoppedPollerLeavesItsInvoicesToAnother(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

func TestPaidWithoutErsReferenceIsAskedAgain(t *testing.T) {
	t.Parallel()
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
