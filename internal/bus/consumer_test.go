package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// Handlers that are slower than the broker's patience: what waits for them may not be handled by two copies.
func TestWhatWaitsForASlowHandlerIsNotHandledTwice(t *testing.T) {
	t.Parallel()
	b := newBusWith(t, 4*time.Second)
	const orders = 8
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
			<-time.After(4500 * time.Millisecond) // how long the provider takes
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

// The broker answers 10012 while it still removes the consumer that it is asked to make: the worker goes on trying.
func TestErrorsThatPassByThemselvesEndNoWorker(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code int
		want bool
	}{{400, false}, {404, false}, {500, true}, {503, true}} {
		if got := bus.Transient(fmt.Errorf("consumer: %w", &jetstream.APIError{Code: c.code, ErrorCode: 10012})); got != c.want {
			t.Errorf("%d: %v, expected %v", c.code, got, c.want)
		}
	}
}
