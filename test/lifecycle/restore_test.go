package lifecycle

import (
	"context"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// The refunder checks before each refund whether the broker was restored, also when the restore is marked while the refunder runs
// or records its intent.
func TestRestoreMarkedWhileWorkersRunIsCheckedBeforeEachRefund(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	atGate, sayAtGate := signal()
	g := gate{sayAtGate, make(chan struct{})}
	p := &payer{}
	_, w := r.process(p.hook(r.Client), r.intercept(g.write))
	r.Run(w)
	r.Return("1", "before", "4")
	<-atGate // the intent is on its way: the refunder has seen no restore
	if _, err := r.Bus.MarkRestored(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	r.WaitFor("1", events.EventRefundUnknown, func(i events.Invoice) bool { return i.Change.RefundID == "before" })
	r.Return("1", "after", "3")
	r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.Change.RefundID == "after" })
	r.Idle()
	p.expect(t, "3 of 1")
}

// A refund that the provider has made is recorded although a restore has removed its intent meanwhile.
func TestRefundIsRecordedAfterARestoreRemovedItsIntent(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	p := &payer{}
	h := p.hook(r.Client)
	pay, again := h.refund, make(chan struct{})
	h.refund = func(ctx context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
		s, err := r.JetStream().Stream(ctx, events.InvoicesStream)
		if err != nil {
			t.Error(err)
			return seqr.Refunded{}, notSent()
		}
		backup := s.CachedInfo().Config
		raw, err := s.GetMsg(ctx, 1)
		if err != nil {
			t.Error(err)
		}
		paid, err := s.GetMsg(ctx, 2)
		if err != nil {
			t.Error(err)
		}
		if err := r.JetStream().DeleteStream(ctx, events.InvoicesStream); err != nil {
			t.Error(err)
		}
		if _, err := r.JetStream().CreateStream(ctx, backup); err != nil {
			t.Error(err)
		}
		for _, m := range []struct {
			subject string
			body    []byte
		}{{raw.Subject, raw.Data}, {paid.Subject, paid.Data}} {
			r.Raw(m.subject, m.body)
		}
		close(again)
		return pay(ctx, c)
	}
	r.runRefunder(h)
	r.Return("1", "r1", "4")
	<-again
	r.Wait("1", events.EventRefunded)
	r.Idle()
	if l, err := r.Bus.Load(t.Context(), events.KeyOf(rig.Shop, "1")); err != nil || l.Refunded.String() != "4" {
		t.Errorf("%+v, %v", l.Refunds, err)
	}
	p.expect(t, "4 of 1")
}

// A refund whose outcome no event could record is not asked for.
func TestRefundWhoseOutcomeCannotBeRecordedIsNotRequested(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	s, err := r.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgSize = 4000 // the intent has some 1,500 bytes, and fits
	if _, err := r.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	p := &payer{}
	r.runRefunder(p.hook(r.Client))
	r.Return("1", "r1", "4")
	if parked := r.WaitParked("refunder", "1"); !strings.Contains(parked.Reason, "max_msg_size") {
		t.Errorf("parked with %q", parked.Reason)
	}
	r.Idle()
	p.expect(t)
	r.expectHistory("1", events.EventIssued, events.EventPaid)
}
