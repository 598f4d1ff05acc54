package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestFullRefundWhoseAnswerIsLostIsProvedByTheNext(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startAll(r)
	paidOrder(t, r, "1001", "10")
	if err := r.Sandbox.SetFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultDropAfter, Count: 1}}}); err != nil {
		t.Fatal(err)
	}
	r.Return("1001", "r1", "")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.State != events.Refunded || !inv.Refunds[0].InDoubt || inv.Refunds[0].Attempts != 2 || *inv.Change.Call.Code != int(seqr.SumOfRefundsExceedsPayment) {
		t.Errorf("%+v", inv)
	}
	r.Idle()
	expectRefunds(t, r, "10")
}

func TestPartialRefundWhoseAnswerIsLostStaysInDoubt(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startAll(r)
	paidOrder(t, r, "1001", "10")
	if err := r.Sandbox.SetFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultDropAfter, Count: 1}}}); err != nil {
		t.Fatal(err)
	}
	r.Return("1001", "r1", "4")
	if inv := r.Wait("1001", events.EventRefundUnknown); inv.Remaining().String() != "6" {
		t.Errorf("%+v", inv)
	}
	r.Idle()
	expectHistory(t, r, "1001", events.EventIssued, events.EventPaid, events.EventReceipted, events.EventRefunding, events.EventRefundUnknown)
	expectRefunds(t, r, "4")
}

// A canceled order is paid back in full, also what a refund in doubt held when the cancellation came.
func TestCancelPaysBackWhatARefundInDoubtDidNot(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startAll(r)
	paidOrder(t, r, "1001", "10")
	if err := r.Sandbox.SetFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultDropBefore, Count: 1}}}); err != nil {
		t.Fatal(err)
	}
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
	r.Idle()
	expectRefunds(t, r, "6", "4")
}

func TestRefundThatWasNeverSentIsSentAgain(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	first := make(chan struct{}, 1)
	first <- struct{}{}
	startWith(r, hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		select {
		case <-first:
			return seqr.Refunded{}, notSent()
		default:
			return r.Client.RefundPayment(ctx, p)
		}
	}})
	paidOrder(t, r, "1001", "10")
	r.Return("1001", "r1", "4")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.Refunds[0].Attempts != 2 || inv.Refunds[0].InDoubt {
		t.Errorf("%+v", inv.Refunds)
	}
	r.Idle()
	expectRefunds(t, r, "4")
}

func notSent() error {
	return &seqr.Error{Operation: "refundPayment", Sent: seqr.NotSent, Err: errors.New("no route to the provider")}
}

// process is a refunder as a process of its own: a connection that can be lost, and messages that come
// again soon after.
func process(t *testing.T, r *rig.Rig, p refunder.Provider, opts ...nats.Option) (*bus.Bus, *refunder.Worker) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{
		Name: "process", Options: append([]nats.Option{r.NATS.InProcess()}, opts...), Log: r.Log, AckWait: time.Second,
		Backoff: bus.Backoff{First: 5 * time.Millisecond, Most: 50 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, refunder.New(refunder.Config{Bus: b, Provider: p, Shops: rig.Shops{}})
}

func TestDeathBetweenIntentAndCall(t *testing.T) {
	for _, c := range []struct {
		name, amount string
		outcome      events.Name
		paidBack     []string
	}{
		{"of a part is in doubt", "4", events.EventRefundUnknown, nil},
		{"of everything is sent again", "", events.EventRefunded, []string{"10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			startWith(r, r.Client, refunder.Name)
			died, sayDied := signal()
			var b *bus.Bus
			b, w := process(t, r, hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
				b.Close()
				sayDied()
				return seqr.Refunded{}, notSent()
			}})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-ended }) // how the dead one ends is of no interest
			paidOrder(t, r, "1001", "10")
			r.Return("1001", "r1", c.amount)
			<-died
			cancel()
			_, next := process(t, r, r.Client)
			r.Run(next)
			r.Wait("1001", c.outcome)
			r.Idle()
			expectRefunds(t, r, c.paidBack...)
		})
	}
}

// leave stops a refunder that is in the middle of a call, as a deploy does, and returns once it takes no
// more messages. What it has in hand it may finish.
func leave(t *testing.T, r *rig.Rig, stop func()) {
	t.Helper()
	go stop()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	for {
		c, err := r.JetStream().Consumer(ctx, events.OrdersStream, refunder.Name)
		if err != nil {
			t.Fatal(err)
		}
		if c.CachedInfo().NumWaiting == 0 {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

// gate lets no event of an invoice through to the broker until it is opened.
type gate struct {
	reached func()
	open    chan struct{}
}

type gated struct {
	net.Conn
	gate
}

func (g *gated) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("HPUB invoices.")) {
		g.reached()
		<-g.open
	}
	return g.Conn.Write(p)
}

// mute lets the broker hear nothing of what is being worked on, as of a process that stands still.
type mute struct{ net.Conn }

func (m mute) Write(p []byte) (int, error) {
	return m.Conn.Write(bytes.ReplaceAll(p, []byte("+WPI"), []byte("+XXX")))
}

// unanswered turns requests for an invoice, while there are any to turn, to a subject that nobody answers.
type unanswered struct {
	net.Conn
	left *atomic.Int32
}

func (u *unanswered) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("PUB $JS.API.")) && bytes.Contains(p, []byte(".GET.INVOICES")) && u.left.Add(-1) >= 0 {
		return u.Conn.Write(bytes.Replace(p, []byte("PUB $JS.API."), []byte("PUB $JS.OFF."), 1))
	}
	return u.Conn.Write(p)
}

// behind makes connections that have something before them.
type behind struct {
	broker nats.InProcessConnProvider
	put    func(net.Conn) net.Conn
}

func (b behind) InProcessConn() (net.Conn, error) {
	c, err := b.broker.InProcessConn()
	return b.put(c), err
}

// before puts something before the broker.
func before(t *testing.T, r *rig.Rig, put func(net.Conn) net.Conn) nats.Option {
	t.Helper()
	var o nats.Options
	if err := r.NATS.InProcess()(&o); err != nil {
		t.Fatal(err)
	}
	return nats.InProcessServer(behind{o.InProcessServer, put})
}

// An answer that came while the broker failed is not forgotten: a part that was paid back would be in doubt.
func TestAnswerIsHeldWhileTheBrokerFails(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startWith(r, r.Client, refunder.Name)
	var left atomic.Int32
	_, w := process(t, r, hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		defer left.Store(2)
		return r.Client.RefundPayment(ctx, p)
	}}, before(t, r, func(c net.Conn) net.Conn { return &unanswered{c, &left} }))
	r.Run(w)
	paidOrder(t, r, "1001", "10")
	r.Return("1001", "r1", "4")
	r.Wait("1001", events.EventRefunded)
	r.Idle()
	if left.Load() > 0 {
		t.Error("the broker did not fail")
	}
	expectHistory(t, r, "1001", events.EventIssued, events.EventPaid, events.EventReceipted, events.EventRefunding, events.EventRefunded)
	expectRefunds(t, r, "4")
}

// The schedule of seed 43 found that a refund which the provider had certainly not made was put in doubt:
// by another copy, which had taken up the same return before the answer was recorded.
func TestAnswerOfOneCopyIsNotOverruledByAnother(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startWith(r, r.Client, refunder.Name)
	inCall, sayInCall := signal()
	answer := make(chan struct{})
	_, first := process(t, r, hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
		sayInCall()
		<-answer
		return seqr.Refunded{}, &seqr.Error{Operation: "refundPayment", Sent: seqr.Answered, Code: seqr.ServiceUnavailable}
	}}, before(t, r, func(c net.Conn) net.Conn { return mute{c} }))
	stop := r.Run(first)
	paidOrder(t, r, "1001", "10")
	r.Return("1001", "r1", "4")
	<-inCall
	leave(t, r, stop)

	atGate, sayAtGate := signal()
	g := gate{sayAtGate, make(chan struct{})}
	_, second := process(t, r, r.Client, before(t, r, func(c net.Conn) net.Conn { return &gated{c, g} }))
	r.Run(second)
	r.Return("1001", "r1", "4")
	<-atGate
	close(answer)
	r.WaitFor("1001", events.EventRefunding, func(i events.Invoice) bool { return i.Refunds[0].Status == events.RefundWaiting })
	close(g.open)
	r.Wait("1001", events.EventRefunded)
	r.Idle()
	expectHistory(t, r, "1001", events.EventIssued, events.EventPaid, events.EventReceipted,
		events.EventRefunding, events.EventRefunding, events.EventRefunding, events.EventRefunded)
	expectRefunds(t, r, "4")
}

// An attempt that is refused because another copy's was paid is no failure, though no other attempt was
// known of when it was made.
func TestRefusalBecauseAnotherCopyPaidBackIsNoFailure(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startWith(r, r.Client, refunder.Name)
	inCall, sayInCall := signal()
	paidBack := make(chan struct{})
	_, first := process(t, r, hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		sayInCall()
		<-paidBack
		return r.Client.RefundPayment(context.WithoutCancel(ctx), p) // what it sent is on its way
	}}, before(t, r, func(c net.Conn) net.Conn { return mute{c} }))
	stop := r.Run(first)
	paidOrder(t, r, "1001", "10")
	r.Return("1001", "r1", "")
	<-inCall
	leave(t, r, stop)

	var b *bus.Bus
	b, second := process(t, r, hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		done, err := r.Client.RefundPayment(ctx, p)
		b.Close() // it dies before it can record the answer
		close(paidBack)
		return done, err
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- second.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended }) // how the dead one ends is of no interest
	<-paidBack                              // the return of the copy that is silent came to the second one
	cancel()
	if inv := r.Wait("1001", events.EventRefunded); inv.State != events.Refunded {
		t.Errorf("%+v", inv)
	}
	_, third := process(t, r, r.Client)
	r.Run(third)
	r.Idle()
	expectRefunds(t, r, "10")
}
