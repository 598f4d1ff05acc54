package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// A refund that a policy requested and a person has settled as not done is requested again, each time under another refundId.
func TestPolicyRefundSettledAsNotDoneIsRequestedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		first   string
		prepare func(system)
	}{
		{events.RefundCancel, func(r system) { r.recordIssued("1", "1"); r.recordPaid("1"); r.Cancel("1") }},
		{events.RefundLate, func(r system) { r.recordIssued("1", "1"); r.recordCanceled("1"); r.recordPaid("1") }},
		{events.RefundSecond, func(r system) {
			r.Place(try("1", "0", "10"))
			r.recordIssued("1", "0")
			r.recordPaid("0")
			r.recordIssued("1", "1")
			r.recordPaid("1")
		}},
	} {
		t.Run(c.first, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			c.prepare(r)
			r.recordUnknown("1", "r1", "4") // so that what is left is a part, which nobody repeats blindly
			p := &payer{answer: func(n int, _ seqr.RefundPayment) error {
				if n <= 2 {
					return noAnswer()
				}
				return nil
			}}
			r.runRefunder(p.hook(r.Client))
			for n := range 2 {
				id := events.RestOf(c.first, n)
				r.WaitFor("1", events.EventRefundUnknown, func(i events.Invoice) bool { return i.Change.RefundID == id })
				r.settle("1", id, false)
			}
			r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.Change.RefundID == events.RestOf(c.first, 2) })
			r.settle("1", "r1", false)
			inv := r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "10" })
			if inv.State != events.Refunded || inv.Change.RefundID != events.RestOf(c.first, 3) {
				t.Errorf("%+v", inv)
			}
			r.Idle()
			p.expect(t, "6 of 1", "4 of 1")
		})
	}
}

// The amount that another refund reserved when the policy applied is paid back when that refund fails.
func TestAmountReservedByAFailedRefundIsPaidBackByPolicy(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(system){
		"late": func(r system) { r.recordIssued("1", "1"); r.recordCanceled("1"); r.recordPaid("1") },
		"second": func(r system) {
			r.Place(try("1", "0", "10"))
			r.recordIssued("1", "0")
			r.recordPaid("0")
			r.recordIssued("1", "1")
			r.recordPaid("1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			prepare(r)
			r.recordUnknown("1", "r1", "10")
			p := &payer{}
			r.runRefunder(p.hook(r.Client))
			r.waitUntil(func() bool { // the refunder has seen that the amount is reserved
				c, err := r.JetStream().Consumer(t.Context(), events.InvoicesStream, "refunder-paid")
				return err == nil && c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0
			})
			p.expect(t)
			r.settle("1", "r1", false)
			r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
			r.Idle()
			p.expect(t, "10 of 1")
		})
	}
}

// A refund that the provider refused is not requested again, except when another refund fails and releases its amount.
func TestRefusedPolicyRefundIsRequestedOnceMoreWhenAnotherFails(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	r.recordUnknown("1", "r1", "4")
	p := &payer{answer: func(int, seqr.RefundPayment) error { return code(seqr.ResellerNotAllowedToDoRefund) }}
	r.runRefunder(p.hook(r.Client))
	r.Cancel("1")
	r.WaitFor("1", events.EventRefundFailed, func(i events.Invoice) bool { return i.Change.RefundID == events.RefundCancel })
	r.Idle()
	p.expectCalls(t, 1)
	r.settle("1", "r1", false)
	r.WaitFor("1", events.EventRefundFailed, func(i events.Invoice) bool { return i.Change.RefundID == events.RestOf(events.RefundCancel, 1) })
	r.Idle()
	p.expectCalls(t, 2)
}

// A sequence names a message only together with its stream: a cancellation that is paid back and the event that releases
// another refund may have the same.
func TestRefundAttemptBelongsToTheMessageOfItsStream(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	r.recordUnknown("1", "r1", "4") // 4 events; the intent of cancel is the 5th, what releases r1 the 6th
	for i := range 5 {
		r.Raw(fmt.Sprintf("orders.acme.other%d.placed", i), []byte("{}"))
	}
	asked, sayAsked := signal()
	answer := make(chan struct{})
	p := &payer{}
	h := p.hook(r.Client)
	pay := h.refund
	h.refund = func(ctx context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
		sayAsked()
		select {
		case <-answer:
			return pay(ctx, c)
		case <-ctx.Done():
			return seqr.Refunded{}, notSent()
		}
	}
	r.runRefunder(h)
	r.Cancel("1")
	<-asked
	r.settle("1", "r1", false)
	l, err := r.Bus.Load(t.Context(), events.KeyOf(rig.Shop, "1"))
	if err != nil || l.Seq != 6 || r.lastSeq(events.OrdersStream) != 6 {
		t.Fatalf("the sequences differ: %d and %d, %v", l.Seq, r.lastSeq(events.OrdersStream), err)
	}
	<-time.After(time.Second) // what must not happen has no signal: cancel put in doubt by the other message
	close(answer)
	inv := r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
	r.Idle()
	if slices.Contains(r.History("1")[5:], events.EventRefundUnknown) {
		t.Errorf("an attempt that was under way was put in doubt: %v, %+v", r.History("1"), inv.Refunds)
	}
	p.expect(t, "6 of 1", "4 of 1")
}

// A second payment waits until it is known whether the first is paid back.
func TestSecondPaymentWaitsForTheOutcomeOfTheFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happened bool
		want     []string
	}{
		"the first was paid back": {true, nil},
		"the first was not":       {false, []string{"10 of 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			r.Place(try("1", "0", "10"))
			r.Place(try("1", "1", "10"))
			r.recordIssued("1", "0")
			r.recordPaid("0")
			r.recordUnknown("0", "r1", "10")
			r.recordIssued("1", "1")
			r.recordPaid("1")
			p := &payer{}
			r.runRefunder(p.hook(r.Client))
			<-time.After(500 * time.Millisecond) // what must not happen has no signal
			p.expect(t)
			r.settle("0", "r1", c.happened)
			r.Idle()
			p.expect(t, c.want...)
		})
	}
}

// The first payment is to be paid back anyway, because it came late or its try was canceled: then the second is the payment
// of the order, in whatever order the messages are handled.
func TestSecondPaymentIsKeptWhenTheFirstIsToBePaidBack(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(system){
		"late": func(r system) { r.recordIssued("1", "0"); r.recordCanceled("0"); r.recordPaid("0") },
		"canceled": func(r system) {
			r.recordIssued("1", "0")
			r.recordPaid("0")
			r.CancelTry("1", "0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			r.Place(try("1", "0", "10"))
			first(r)
			r.Place(try("1", "1", "10"))
			r.recordIssued("1", "1")
			r.recordPaid("1")
			p := &payer{}
			slow := p.hook(r.Client)
			pay, kept := slow.refund, make(chan struct{})
			slow.refund = func(ctx context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
				if c.Invoice.ClientInvoiceID == "0" {
					select {
					case <-kept:
					case <-ctx.Done():
						return seqr.Refunded{}, notSent()
					}
				}
				return pay(ctx, c)
			}
			r.runRefunder(slow)
			<-time.After(500 * time.Millisecond) // what must not happen has no signal
			close(kept)
			r.WaitFor("0", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
			r.Idle()
			p.expect(t, "10 of 0")
		})
	}
}

// lateShops has the credentials of the terminal "earlier" only once they are known.
type lateShops struct {
	rig.Shops
	known *atomic.Bool
}

func (s lateShops) TerminalOf(shop, terminal string) (seqr.Principal, bool) {
	if terminal == "earlier" && !s.known.Load() {
		return seqr.Principal{}, false
	}
	return s.Terminal(shop)
}

// A first payment that is to be paid back, and whose refund the provider then refuses, stays paid: so the second payment waits until that
// is known, also while nothing is recorded of the first one's refund.
func TestSecondPaymentWaitsUntilTheFirstIsPaidBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refused bool
		want    string
	}{"the first is paid back": {false, "10 of 0"}, "the provider refuses": {true, "10 of 1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			r.Place(try("1", "0", "10"))
			r.append("0", func(i events.Invoice) (events.Invoice, error) {
				return i.IssuedAs(try("1", "0", "10"), events.ProviderInvoice{Terminal: "earlier", Reference: "ref-0", ValidFor: time.Hour}, r.fact())
			})
			r.recordCanceled("0")
			r.recordPaid("0")
			r.Place(try("1", "1", "10"))
			r.recordIssued("1", "1")
			r.recordPaid("1")
			p := &payer{answer: func(_ int, q seqr.RefundPayment) error {
				if c.refused && q.Invoice.ClientInvoiceID == "0" {
					return code(seqr.ResellerNotAllowedToDoRefund)
				}
				return nil
			}}
			b := r.ConnectWith(bus.Config{Backoff: bus.Backoff{First: 5 * time.Millisecond, Most: 50 * time.Millisecond}})
			shops := lateShops{known: new(atomic.Bool)}
			r.Run(refunder.New(refunder.Config{Bus: b, Provider: p.hook(r.Client), Shops: shops, Log: r.Log}))
			<-time.After(500 * time.Millisecond) // what must not happen has no signal: the second payment decided on
			shops.known.Store(true)
			r.Idle()
			p.expect(t, c.want)
		})
	}
}
