package lifecycle

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestFullRefundWithLostAnswerIsProvedByRepeatingIt(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "10")
	r.setFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultDropAfter, Count: 1}}})
	r.Return("1001", "r1", "")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.State != events.Refunded || !inv.Refunds[0].InDoubt || inv.Refunds[0].Attempts != 2 || *inv.Change.Call.Code != int(seqr.SumOfRefundsExceedsPayment) {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
}

func TestPartialRefundWithLostAnswerStaysInDoubt(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "10")
	r.setFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultDropAfter, Count: 1}}})
	r.Return("1001", "r1", "4")
	if inv := r.Wait("1001", events.EventRefundUnknown); inv.Remaining().String() != "6" {
		t.Errorf("%+v", inv)
	}
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted, events.EventRefunding, events.EventRefundUnknown)
	r.expectRefunds("4")
}

// A canceled order is paid back in full, also the amount that a refund in doubt reserved when the cancellation came.
func TestCancelRefundsWhatARefundInDoubtReleases(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "10")
	r.setFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultDropBefore, Count: 1}}})
	r.Return("1001", "r1", "4")
	r.Wait("1001", events.EventRefundUnknown)
	r.Cancel("1001")
	r.WaitFor("1001", events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "6" })
	if _, err := r.Bus.Update(t.Context(), "operator", events.KeyOf(rig.Shop, "1001"), func(i events.Invoice) (events.Invoice, error) {
		return i.RefundSettled("r1", false, "", events.Fact{At: r.Bus.Now(), Why: "a person has looked"})
	}); err != nil {
		t.Fatal(err)
	}
	inv := r.WaitFor("1001", events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "10" })
	if inv.State != events.Refunded {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("6", "4")
}

func TestRefundThatWasNeverSentIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	first := make(chan struct{}, 1)
	first <- struct{}{}
	r.start(hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		select {
		case <-first:
			return seqr.Refunded{}, notSent()
		default:
			return r.Client.RefundPayment(ctx, p)
		}
	}})
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "4")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.Refunds[0].Attempts != 2 || inv.Refunds[0].InDoubt {
		t.Errorf("%+v", inv.Refunds)
	}
	r.expectRefunds("4")
}

func TestProcessDiesBetweenRefundIntentAndCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, amount string
		outcome      events.Name
		paidBack     []string
	}{
		{"a partial refund is in doubt", "4", events.EventRefundUnknown, nil},
		{"a full refund is sent again", "", events.EventRefunded, []string{"10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			r.start(r.Client, refunder.Name)
			died, sayDied := signal()
			var b *bus.Bus
			b, w := r.process(hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
				b.Close()
				sayDied()
				return seqr.Refunded{}, notSent()
			}})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-ended }) // the error of the process that died does not matter
			r.payOrder("1001", "10")
			r.Return("1001", "r1", c.amount)
			<-died
			cancel()
			_, next := r.process(r.Client)
			r.Run(next)
			r.Wait("1001", c.outcome)
			r.expectRefunds(c.paidBack...)
		})
	}
}

// An answer that came while the broker failed is recorded later: else a partial refund that was paid would be in doubt.
func TestRefundAnswerIsRecordedAfterTheBrokerFailed(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	var left atomic.Int32
	_, w := r.process(hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		defer left.Store(2)
		return r.Client.RefundPayment(ctx, p)
	}}, r.intercept(unansweredRequests(&left)))
	r.Run(w)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "4")
	r.Wait("1001", events.EventRefunded)
	r.Idle()
	if left.Load() > 0 {
		t.Error("the broker did not fail")
	}
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted, events.EventRefunding, events.EventRefunded)
	r.expectRefunds("4")
}

// The schedule of seed 43 found that a refund which the provider had certainly not made was put in doubt:
// by another copy, which had taken up the same return before the answer was recorded.
func TestRefundAnswerOfOneCopyIsNotOverwrittenByAnother(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	inCall, sayInCall := signal()
	answer := make(chan struct{})
	_, first := r.process(hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
		sayInCall()
		<-answer
		return seqr.Refunded{}, &seqr.Error{Operation: "refundPayment", Sent: seqr.Answered, Code: seqr.ServiceUnavailable}
	}}, r.intercept(withoutProgress))
	stop := r.Run(first)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "4")
	<-inCall
	r.stopDuringCall(stop)

	atGate, sayAtGate := signal()
	g := gate{sayAtGate, make(chan struct{})}
	_, second := r.process(r.Client, r.intercept(g.write))
	r.Run(second)
	r.Return("1001", "r1", "4")
	<-atGate
	close(answer)
	r.WaitFor("1001", events.EventRefunding, func(i events.Invoice) bool { return i.Refunds[0].Status == events.RefundWaiting })
	close(g.open)
	r.Wait("1001", events.EventRefunded)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted,
		events.EventRefunding, events.EventRefunding, events.EventRefunding, events.EventRefunded)
	r.expectRefunds("4")
}

// An attempt that is refused because another copy's was paid is no failure, though no other attempt was
// known of when it was made.
func TestRefusalAfterAnotherCopyRefundedIsNoFailure(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	inCall, sayInCall := signal()
	paidBack := make(chan struct{})
	_, first := r.process(hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		sayInCall()
		<-paidBack
		return r.Client.RefundPayment(context.WithoutCancel(ctx), p) // what it sent is on its way
	}}, r.intercept(withoutProgress))
	stop := r.Run(first)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "")
	<-inCall
	r.stopDuringCall(stop)

	var b *bus.Bus
	b, second := r.process(hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		done, err := r.Client.RefundPayment(ctx, p)
		b.Close() // it dies before it can record the answer
		close(paidBack)
		return done, err
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- second.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended }) // the error of the process that died does not matter
	<-paidBack                              // the return of the copy that is silent came to the second one
	cancel()
	if inv := r.Wait("1001", events.EventRefunded); inv.State != events.Refunded {
		t.Errorf("%+v", inv)
	}
	_, third := r.process(r.Client)
	r.Run(third)
	r.expectRefunds("10")
}

// An attempt that is proved not to have happened says nothing of another copy's, which is at the provider meanwhile: seed 51.
func TestAttemptThatWasNotSentLeavesALaterOneUnderWay(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	inFirst, sayInFirst := signal()
	toFirst, firstAnswered := make(chan struct{}), make(chan struct{})
	_, first := r.process(hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
		sayInFirst()
		<-toFirst
		return seqr.Refunded{}, notSent()
	}}, r.intercept(withoutProgress))
	stop := r.Run(first)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "")
	<-inFirst
	go func() { stop(); close(firstAnswered) }()

	inSecond, sayInSecond := signal()
	toSecond := make(chan struct{})
	_, second := r.process(hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
		sayInSecond()
		<-toSecond
		return seqr.Refunded{}, code(seqr.ReceiverAccountDoesNotAllowRefunds)
	}})
	r.Run(second)
	<-inSecond
	close(toFirst)
	<-firstAnswered
	if inv, err := r.Bus.Load(t.Context(), events.KeyOf(rig.Shop, "1001")); err != nil || inv.Refunds[0].Status != events.RefundSending {
		t.Errorf("the second attempt is under way, and the refund is %+v, %v", inv.Refunds, err)
	}
	close(toSecond)
	r.Wait("1001", events.EventRefundUnknown)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted,
		events.EventRefunding, events.EventRefunding, events.EventRefundUnknown)
}
