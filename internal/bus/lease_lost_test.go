package bus_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
)

// cutConn loses whatever is written while it is cut, as a network does that passes nothing on: no write fails.
type cutConn struct {
	net.Conn
	cut *atomic.Bool
}

func (c cutConn) Write(p []byte) (int, error) {
	if c.cut.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

type cutBroker struct {
	broker nats.InProcessConnProvider
	cut    *atomic.Bool
}

func (b cutBroker) InProcessConn() (net.Conn, error) {
	c, err := b.broker.InProcessConn()
	return cutConn{c, b.cut}, err
}

// copies are two copies of a worker, each with a connection of its own; that of the first can be cut.
func copies(t *testing.T, ackWait time.Duration) (first, second *bus.Bus, cut *atomic.Bool) {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var direct nats.Options
	if err := s.InProcess()(&direct); err != nil {
		t.Fatal(err)
	}
	cut = &atomic.Bool{}
	connect := func(o nats.Option) *bus.Bus {
		b, err := bus.Connect(t.Context(), bus.Config{Name: "copy", AckWait: ackWait, Options: []nats.Option{o}, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	first, second = connect(nats.InProcessServer(cutBroker{direct.InProcessServer, cut})), connect(s.InProcess())
	if err := first.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return first, second, cut
}

// A copy that the broker did not hear for a while knows that its lease is lost, goes on knowing it when the broker is there
// again, and takes nothing from the copy that has the message now.
func TestLostLeaseStaysLost(t *testing.T) {
	t.Parallel()
	const ackWait = 3 * time.Second // a busy machine sends a heartbeat late
	first, second, cut := copies(t, ackWait)
	if err := first.PublishRaw(t.Context(), "orders.acme.1.placed", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	var deliveries atomic.Int32
	begun, back, judged := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
	work(t, first, consumer("invoicer"), func(_ context.Context, d bus.Delivery) bus.Outcome {
		if deliveries.Add(1) == 1 {
			if d.Lost() {
				t.Error("a lease is lost at its beginning")
			}
			close(begun)
			<-back
			judged <- d.Lost()
		}
		return bus.SnoozeFor(time.Millisecond, errors.New("not yet"))
	})
	<-begun
	cut.Store(true)
	taken, end := make(chan struct{}), make(chan struct{})
	work(t, second, consumer("invoicer"), func(context.Context, bus.Delivery) bus.Outcome {
		deliveries.Add(1)
		close(taken)
		<-end
		return bus.Done
	})
	<-taken
	cut.Store(false)
	<-time.After(ackWait) // some heartbeats arrive again
	close(back)
	if !<-judged {
		t.Error("a copy that was cut off believes that it still has the message")
	}
	<-time.After(ackWait / 2) // what must not happen has no signal
	if n := deliveries.Load(); n != 2 {
		t.Errorf("%d deliveries: the lost lease was given back while the other copy is at work", n)
	}
	close(end)
}

// While the broker answers, a lease is kept however long the work takes.
func TestLeaseIsKeptAsLongAsTheBrokerAnswers(t *testing.T) {
	t.Parallel()
	first, _, _ := copies(t, 2*time.Second)
	if err := first.PublishRaw(t.Context(), "orders.acme.1.placed", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	lost := make(chan bool, 1)
	work(t, first, consumer("invoicer"), func(_ context.Context, d bus.Delivery) bus.Outcome {
		<-time.After(5 * time.Second)
		lost <- d.Lost()
		return bus.Done
	})
	if <-lost {
		t.Error("the lease was lost though the broker answers")
	}
}
