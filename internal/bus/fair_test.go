package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// publishMany stores messages without waiting for each.
func publishMany(t *testing.T, b *bus.Bus, n int, subject func(int) string, body []byte) {
	t.Helper()
	for i := range n {
		if err := b.Conn().Publish(subject(i), body); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		last, err := b.LastSeq(t.Context(), events.OrdersStream)
		if err != nil {
			t.Fatal(err)
		}
		if last >= uint64(n) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d messages stored", last, n)
		}
	}
}

func shopOf(d bus.Delivery) string {
	a, _ := d.Address()
	return a.Shop
}

// A shop whose terminal gives no answer, or that floods the stream, keeps no other shop waiting.
func TestOneShopKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		messages int
		subject  func(int) string
		body     int
	}{
		"silent terminals":         {600, func(i int) string { return fmt.Sprintf("orders.silent%d.%d.placed", i%200, i) }, 100},
		"a flood":                  {10_000, func(i int) string { return fmt.Sprintf("orders.flood.%d.placed", i) }, 100},
		"orders of a MiB":          {50, func(i int) string { return fmt.Sprintf("orders.large.%d.placed", i) }, 1 << 20},
		"many messages of one key": {100, func(int) string { return "orders.acme.1.returned" }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBus(t)
			publishMany(t, b, c.messages, c.subject, make([]byte, c.body))
			release, healthy, others := make(chan struct{}), make(chan struct{}), atomic.Int64{}
			defer close(release)
			work(t, b, consumer("invoicer"), func(_ context.Context, d bus.Delivery) bus.Outcome {
				if d.Subject == "orders.acme.healthy.placed" {
					close(healthy)
					return bus.Done.Asked()
				}
				others.Add(1)
				<-release // the provider does not answer as long as the test looks
				return bus.Done
			})
			if err := b.PublishRaw(t.Context(), "orders.acme.healthy.placed", "", []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-healthy:
			case <-time.After(patience):
				t.Fatalf("the other shop's order was not handled while %d handlers wait for an answer", others.Load())
			}
			if name == "many messages of one key" && others.Load() > 1 {
				t.Errorf("%d messages of one order are handled at once", others.Load())
			}
		})
	}
}

// However much waits for a silent terminal, a handful is tried, and then the terminal alone is probed; after it answers
// everything is handled.
func TestOutageCostsAHandfulOfAttempts(t *testing.T) {
	t.Parallel()
	messages := 14_000
	if testing.Short() {
		messages = 2_000
	}
	b := newBus(t)
	publishMany(t, b, messages, func(i int) string { return fmt.Sprintf("orders.acme.%d.placed", i) }, []byte(`{}`))
	var attempts, probes, handled atomic.Int64
	var down atomic.Bool
	down.Store(true)
	probed, all := make(chan struct{}), make(chan struct{})
	c := consumer("invoicer")
	c.Backoff = bus.Backoff{First: 100 * time.Millisecond, Most: 3 * time.Second}
	c.Probe = func(context.Context, string) error {
		if probes.Add(1) == 2 {
			close(probed)
		}
		if down.Load() {
			return errors.New("no answer")
		}
		return nil
	}
	var mu sync.Mutex
	seen := map[uint64]bool{}
	work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
		if down.Load() {
			attempts.Add(1)
			return bus.Unanswered(errors.New("no answer"))
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[d.Seq] = true; len(seen) == messages {
			close(all)
		}
		handled.Add(1)
		return bus.Done.Asked()
	})
	<-probed
	if n := attempts.Load(); n > 8 {
		t.Errorf("%d deliveries were tried while the provider was down, expected at most 8", n)
	}
	t.Logf("%d messages wait: %d were tried, %d probes", messages, attempts.Load(), probes.Load())
	down.Store(false)
	select {
	case <-all:
	case <-time.After(3 * time.Minute):
		t.Fatalf("%d of %d handled after the outage", handled.Load(), messages)
	}
}

// What this copy has no credentials for is left to another copy, and parked when there is none.
func TestShopsAreLeftToTheCopyThatServesThem(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	handled := make(chan string, 64)
	for _, shop := range []string{"a", "b"} {
		c := consumer("invoicer")
		c.Serves = func(s string) (string, error) {
			if s != shop {
				return "", errors.New("shop: no credentials")
			}
			return s, nil
		}
		work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
			if shopOf(d) != shop {
				t.Errorf("the copy for %s was given a message of %s", shop, shopOf(d))
			}
			handled <- d.Subject
			return bus.Done
		})
	}
	parked, stop := subscribe(t, b, "parked.>")
	defer stop()
	for i := range 10 {
		for _, shop := range []string{"a", "b"} {
			if err := b.PublishRaw(t.Context(), fmt.Sprintf("orders.%s.%d.placed", shop, i), "", []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.PublishRaw(t.Context(), "orders.c.1.placed", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for range 20 {
		got[<-handled]++
	}
	for subject, n := range got {
		if n != 1 {
			t.Errorf("%s was handled %d times", subject, n)
		}
	}
	if m := <-parked; m.Subject != "parked.invoicer.c.1" {
		t.Errorf("parked on %s", m.Subject)
	}
}
