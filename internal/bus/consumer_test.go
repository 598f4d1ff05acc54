package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Handlers that are slower than the broker's patience: what waits for them may not be handled by two copies.
func TestWhatWaitsForASlowHandlerIsNotHandledTwice(t *testing.T) {
	t.Parallel()
	b := newBusWith(t, 2*time.Second)
	const orders = 12
	for i := range orders {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("orders.acme.%d.placed", i), "", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	c := consumer("invoicer")
	c.Concurrency = 2
	var mu sync.Mutex
	times := map[uint64]int{}
	handled := make(chan struct{}, 2*orders)
	for range 2 {
		work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
			mu.Lock()
			times[d.Seq]++
			mu.Unlock()
			<-time.After(2500 * time.Millisecond) // how long the provider takes
			handled <- struct{}{}
			return bus.Done
		})
	}
	for range orders {
		<-handled
	}
	mu.Lock()
	defer mu.Unlock()
	for seq, n := range times {
		if n > 1 {
			t.Errorf("message %d was handled %d times, though nobody died", seq, n)
		}
	}
	if len(times) != orders {
		t.Errorf("%d of %d messages handled", len(times), orders)
	}
}

// Copies share a consumer only if they take the same shops, in whatever order these are named.
func TestConsumersOfDifferentShopsAreDifferent(t *testing.T) {
	b := newBus(t)
	for _, shops := range [][]string{{"acme", "se"}, {"acme-se"}, {"se", "acme", "se"}, {"acme"}, {"café, se"}} {
		c := consumer("invoicer")
		c.Filters, c.Shops = []string{"orders.*.*.placed"}, shops
		work(t, b, c, func(context.Context, bus.Delivery) bus.Outcome { return bus.Done })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	want := map[string][]string{
		"invoicer-acme,se":                     {"orders.acme.*.placed", "orders.se.*.placed"},
		"invoicer-acme-se":                     {"orders.acme-se.*.placed"},
		"invoicer-acme":                        {"orders.acme.*.placed"},
		"invoicer-" + events.Token("café, se"): {"orders." + events.Token("café, se") + ".*.placed"},
	}
	for name, filters := range want {
		var got *jetstream.ConsumerInfo
		for got == nil {
			cons, err := b.JetStream().Consumer(ctx, events.OrdersStream, name)
			if err == nil {
				got = cons.CachedInfo()
			} else if ctx.Err() != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		subjects := got.Config.FilterSubjects
		if got.Config.FilterSubject != "" {
			subjects = []string{got.Config.FilterSubject}
		}
		slices.Sort(subjects)
		if !slices.Equal(slices.Compact(subjects), filters) {
			t.Errorf("%s takes %q", name, subjects)
		}
	}
}
