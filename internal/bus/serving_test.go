package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// A message that a copy with the credentials has and lets wait, for a payment for instance, is not parked by a copy that lacks
// them, however often and long that one sees it; one that no copy has them for is.
func TestMessageWaitsForTheCopyWithTheCredentials(t *testing.T) {
	t.Parallel()
	lacks := errors.New("no credentials")
	first, second, _ := copies(t, 0)
	var ready atomic.Bool
	handled, seen := make(chan string, 8), [2]atomic.Int32{}
	without, with := consumer("invoicer"), consumer("invoicer")
	without.Serves = func(shop string) (string, error) {
		if shop == "other" {
			return "", lacks
		}
		return shop, nil
	}
	with.Has = func(_, terminal string) bool { return terminal == "earlier" }
	work(t, first, without, func(_ context.Context, d bus.Delivery) bus.Outcome {
		seen[0].Add(1)
		if shopOf(d) == "nobodys" {
			return bus.Elsewhere("unknown", lacks)
		}
		return bus.Elsewhere("earlier", lacks)
	})
	work(t, second, with, func(_ context.Context, d bus.Delivery) bus.Outcome {
		seen[1].Add(1)
		switch {
		case shopOf(d) == "nobodys":
			return bus.Elsewhere("unknown", lacks)
		case !ready.Load():
			return bus.SnoozeFor(100*time.Millisecond, errors.New("not paid yet"))
		}
		handled <- d.Subject
		return bus.Done
	})
	parked, stop := subscribe(t, first, "parked.>")
	defer stop()
	for _, subject := range []string{"orders.other.1.placed", "orders.acme.1.placed", "orders.nobodys.1.placed"} {
		if err := first.PublishRaw(t.Context(), subject, "", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if m := <-parked; m.Subject != "parked.invoicer.nobodys.1" {
		t.Errorf("parked on %s", m.Subject)
	}
	<-time.After(8 * time.Second) // the copy without them sees the others again, and what must not happen has no signal
	ready.Store(true)
	for range 2 {
		<-handled
	}
	select {
	case m := <-parked:
		t.Errorf("parked on %s though a copy has the credentials", m.Subject)
	default:
	}
	if seen[0].Load() == 0 || seen[1].Load() == 0 {
		t.Errorf("seen by the copies %d and %d times", seen[0].Load(), seen[1].Load())
	}
}

// The copy with the credentials does not answer for as long as it takes to notice that its broker has died. The message is not parked.
func TestMessageWaitsForACopyWhoseBrokerDied(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	const noticed = 15 * time.Second
	publish := func(subject string) {
		if err := b.PublishRaw(t.Context(), subject, "", []byte(`{}`)); err != nil {
			t.Error(err)
		}
	}
	var first time.Time
	answered := make(chan struct{}, 1000)
	err := b.Subscribe(t.Context(), bus.ServingSubject("invoicer"), func(subject string, text []byte) {
		what, asked := strings.CutPrefix(string(text), "ask ")
		switch {
		case !asked || !strings.Contains(what, " acme "):
		case first.IsZero():
			first = time.Now()
			publish("orders.nobodys.1.placed") // when it is parked, the time for the other has passed
		case time.Since(first) > noticed:
			if err := b.Publish(subject, []byte("yes "+what)); err != nil {
				t.Error(err)
			}
			answered <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := consumer("invoicer")
	c.Serves = func(string) (string, error) { return "", errors.New("no credentials") }
	work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
		t.Errorf("handled %s", d.Subject)
		return bus.Done
	})
	parked, stop := subscribe(t, b, "parked.>")
	defer stop()
	publish("orders.acme.1.placed")
	if m := <-parked; m.Subject != "parked.invoicer.nobodys.1" {
		t.Errorf("parked on %s, after %d answers", m.Subject, len(answered))
	}
	if len(answered) == 0 {
		t.Error("the copy was never asked once it had noticed")
	}
}

// A message that was parked before the consumer was made anew, so that a person has it in hand, is acknowledged also where no copy has the
// credentials that it needs.
func TestWhatAPersonHasInHandIsNotLeftToOtherCopies(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	parkAndRemoveConsumer(t, b)
	said, stop := subscribe(t, b, "$JS.ACK."+events.OrdersStream+".refunder.>")
	defer stop()
	c := consumer("refunder")
	c.Serves = func(string) (string, error) { return "", errors.New("no credentials") }
	work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
		t.Errorf("handled %s", d.Subject)
		return bus.Done
	})
	tooLong := time.After(patience)
	for {
		select {
		case m := <-said:
			if strings.HasPrefix(string(m.Data), "+ACK") {
				return
			}
		case <-tooLong:
			t.Fatal("the message is not acknowledged")
		}
	}
}
