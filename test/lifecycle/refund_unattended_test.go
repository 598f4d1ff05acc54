package lifecycle

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// acknowledgeLate has the broker take the last message of ORDERS for acknowledged, as when the acknowledgement of an earlier delivery
// reaches it late.
func (r system) acknowledgeLate(consumer string) {
	r.t.Helper()
	ack := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.1.%d.0", events.OrdersStream, consumer, r.lastSeq(events.OrdersStream), time.Now().UnixNano())
	if _, err := r.JetStream().Conn().RequestMsg(&nats.Msg{Subject: ack, Data: []byte("+ACK")}, rig.Patience); err != nil {
		r.t.Error(err)
	}
}

// A refund goes on when the message that asks for it is acknowledged while it is under way.
func TestRefundIsTakenUpWhenItsMessageIsGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		amount string
		first  error // the answer to the first call
		ends   events.Name
		paid   []string
	}{
		"all that is left, answer lost": {"", noAnswer(), events.EventRefunded, []string{"10 of 1"}},
		"a part, not sent":              {"4", notSent(), events.EventRefunded, []string{"4 of 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			r.recordIssued("1", "1")
			r.recordPaid("1")
			p := &payer{answer: func(n int, _ seqr.RefundPayment) error {
				if n == 1 {
					r.acknowledgeLate(refunder.Name)
					return c.first
				}
				return nil
			}}
			later := r.runWithClock(p.hook(r.Client))
			r.Return("1", "r1", c.amount)
			r.waitUntil(func() bool { return r.noMessageOf(refunder.Name) && p.called() == 1 })
			<-time.After(500 * time.Millisecond) // what must not happen has no signal: it is not taken up too early
			p.expectCalls(t, 1)
			later()
			r.Wait("1", c.ends)
			r.Idle()
			p.expect(t, c.paid...)
			p.expectCalls(t, 2)
		})
	}
}

// Whether a part was paid back is not known when the process has died too: then it is in doubt, and not under way for ever.
func TestPartialRefundWhoseMessageIsGoneIsInDoubt(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	died, sayDied := signal()
	var b *bus.Bus
	b, w := r.process(hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
		r.acknowledgeLate(refunder.Name)
		b.Close()
		sayDied()
		return seqr.Refunded{}, noAnswer()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended }) // the error of the process that died does not matter
	r.Return("1", "r1", "4")
	<-died
	cancel()
	p := &payer{}
	r.runWithClock(p.hook(r.Client))()
	r.Wait("1", events.EventRefundUnknown)
	r.Idle()
	p.expectCalls(t, 0)
}

// A refund whose message is parked is left to a person.
func TestRefundWhoseMessageIsParkedIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	p := &payer{answer: func(int, seqr.RefundPayment) error { return code(seqr.AuthenticationFailed) }}
	later := r.runWithClock(p.hook(r.Client))
	r.Return("1", "r1", "4")
	r.WaitParked(refunder.Name, "1")
	later()
	r.Idle()
	p.expectCalls(t, 1)
	if n := r.Parked(); n != 1 {
		t.Errorf("%d messages are parked, expected 1", n)
	}
}

// runWithClock runs a refunder; later sets its clock on by more than any attempt takes.
func (r system) runWithClock(p refunder.Provider) (later func()) {
	r.t.Helper()
	var ahead atomic.Int64
	b := r.ConnectWith(bus.Config{
		Now:     func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		AckWait: time.Second, Backoff: bus.Backoff{First: 5 * time.Millisecond, Most: 50 * time.Millisecond},
	})
	r.Run(refunder.New(refunder.Config{Bus: b, Provider: p, Shops: rig.Shops{}, Log: r.Log}))
	return func() { ahead.Store(int64(5 * time.Minute)) }
}

// noMessageOf says that the consumer of ORDERS has nothing to do.
func (r system) noMessageOf(consumer string) bool {
	c, err := r.JetStream().Consumer(r.t.Context(), events.OrdersStream, consumer)
	return err == nil && c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0
}

// How long ago an attempt was is told by the clock that stamped it: an intent takes no refund up that is at the provider because this
// machine's clock and the broker's differ.
func TestRefundAtTheProviderIsNotTakenUpByItsIntent(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.recordIssued("1", "1")
	r.recordPaid("1")
	p := &payer{answer: func(int, seqr.RefundPayment) error {
		r.waitUntil(func() bool {
			c, err := r.JetStream().Consumer(r.t.Context(), events.InvoicesStream, refunder.Name+"-unattended")
			return err == nil && c.CachedInfo().NumRedelivered > 0
		})
		return nil
	}}
	r.runWithClock(p.hook(r.Client))()
	r.Return("1", "r1", "")
	r.Wait("1", events.EventRefunded)
	r.Idle()
	p.expectCalls(t, 1)
}
