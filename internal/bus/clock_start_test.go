package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// The first message that a process handles is judged by the broker's clock like any other, however wrong the machine's own is.
func TestFirstMessageIsHandledByTheBrokersClock(t *testing.T) {
	t.Parallel()
	s, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	connect := func(clock func() time.Time) *bus.Bus {
		b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{s.InProcess()}, Log: zerolog.Nop(), Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	first := connect(nil)
	if err := first.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := bus.Consumer{Worker: "invoicer", Name: "invoicer", Stream: events.OrdersStream, Filters: []string{events.OrdersSubjects}}
	if err := first.EnsureConsumers(t.Context(), []bus.Consumer{c}); err != nil {
		t.Fatal(err)
	}
	var wrong atomic.Int32
	for range 30 {
		if err := first.PublishRaw(t.Context(), "orders.acme.1.placed", "", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		b := connect(func() time.Time { return time.Now().Add(-time.Hour) })
		ctx, cancel := context.WithCancel(t.Context())
		if err := b.Work(ctx, c, func(context.Context, bus.Delivery) bus.Outcome {
			if time.Since(b.Now()) > time.Minute {
				wrong.Add(1)
			}
			cancel()
			return bus.Done
		}); err != nil {
			t.Error(err)
		}
		cancel()
	}
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of 30 first messages were handled with a clock that is an hour behind", n)
	}
}
