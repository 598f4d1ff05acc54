package notifier_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// cutBroker is a broker whose connections lose whatever is written while it is cut, as a network does that passes nothing on.
type cutBroker struct {
	broker nats.InProcessConnProvider
	cut    atomic.Bool
}

// InProcessConn implements nats.InProcessConnProvider.
func (b *cutBroker) InProcessConn() (net.Conn, error) {
	c, err := b.broker.InProcessConn()
	return cutConn{c, &b.cut}, err
}

type cutConn struct {
	net.Conn
	cut *atomic.Bool
}

// Write implements net.Conn.
func (c cutConn) Write(p []byte) (int, error) {
	if c.cut.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// TestACopyThatWasCutOffInACallChangesNothingAfterwards: another copy has told the event and those after it. That the first one's call
// has failed in the end is no reason for a person to look, nor for another attempt.
func TestACopyThatWasCutOffInACallChangesNothingAfterwards(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]commerce.Result{
		"refused": {Status: commerce.Refused, Code: 400, Detail: "too late"},
		"again":   {Status: commerce.Again, Code: 500, Detail: "too late"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{Rig: rig.New(t, sandbox.Config{}), t: t, conns: connected("erp")}
			cut := &cutBroker{broker: f.NATS}
			bus1 := f.ConnectWith(bus.Config{AckWait: time.Second, Options: []nats.Option{nats.InProcessServer(cut)}})
			bus2 := f.ConnectWith(bus.Config{AckWait: time.Second})
			if err := bus2.EnsureConsumers(t.Context(), notifier.Consumers(f.conns)); err != nil {
				t.Fatal(err)
			}
			start := func(b *bus.Bus, s *system) (stop func()) {
				return f.Run(notifier.New(notifier.Config{Bus: b, Log: f.Log, Destinations: []notifier.Destination{{Shop: rig.Shop, Name: "erp", Outbound: s}}}))
			}
			called, answer := make(chan struct{}, 1), make(chan struct{})
			first, second := newSystem(func(commerce.Notice) commerce.Result {
				called <- struct{}{}
				<-answer
				return r
			}), newSystem(takes)
			stop := start(bus1, first)
			f.issue("1")
			<-called
			cut.cut.Store(true)
			start(bus2, second)
			f.pay("1")
			second.waitFor(t, 3)
			cut.cut.Store(false)
			close(answer)
			stop() // it ends what it has in hand
			f.Idle()
			if got := second.of("1"); got != wholeLife {
				t.Errorf("the second copy has told %s", got)
			}
			if n := f.Parked(); n != 0 {
				t.Errorf("%d messages are parked", n)
			}
			all := f.attempts("erp", "1")
			if last := all[len(all)-1]; last.Status != events.DeliveryDelivered {
				t.Errorf("the last attempt %+v", last)
			}
		})
	}
}
