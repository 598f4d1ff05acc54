package orderview_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func hub(r *rig.Rig) *orderview.Hub {
	h := orderview.NewHub(r.Connect(), r.Log)
	r.Run(h)
	return h
}

func subscribe(r *rig.Rig, h *orderview.Hub, order string) *orderview.Subscription {
	r.T.Helper()
	s, err := h.SubscribeOrder(r.T.Context(), events.OrderKeyOf(rig.Shop, order))
	if err != nil {
		r.T.Fatal(err)
	}
	return s
}

// waitFor takes changes until one fits.
func waitFor(t *testing.T, s *orderview.Subscription, fits func(events.Invoice) bool) {
	t.Helper()
	give := time.After(rig.Patience)
	for {
		select {
		case <-s.Changed():
		case <-give:
			t.Fatal("no such change")
		}
		for _, c := range s.Take() {
			if fits(c.Invoice) {
				return
			}
		}
	}
}

func isPaid(i events.Invoice) bool { return i.State == events.Paid }

func TestSubscribersHearOfTheirOrderAlone(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	h := hub(r)
	order := subscribe(r, h, "1001")
	defer order.Close()
	other := subscribe(r, h, "1002")
	defer other.Close()

	record(r, rig.Order("1001", "10"), canceled)
	record(r, try("1001", "1001-2"), paid)
	record(r, rig.Order("1002", "10"))
	waitFor(t, other, func(i events.Invoice) bool { return i.OrderID == "1002" }) // in the order of the stream: the others were told before

	got := ""
	for _, c := range order.Take() {
		got += fmt.Sprint(c.Invoice.InvoiceID, " ", c.Invoice.State, "; ")
	}
	if want := "1001 CANCELED; 1001-2 PAID; "; got != want {
		t.Errorf("the order's subscriber, who was slow, took %q; expected %q", got, want)
	}
	if more := other.Take(); len(more) > 0 {
		t.Errorf("another order's subscriber heard of %+v", more)
	}
}

// Whenever a subscriber comes, before or while or after the payment is recorded: what it loads and what it hears say that it is paid.
func TestWhoSubscribesAndThenLoadsMissesNothing(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	h := hub(r)
	const orders = 50
	var all sync.WaitGroup
	for i := range orders {
		id := fmt.Sprint(i)
		r.Place(rig.Order(id, "10"))
		all.Go(func() { record(r, rig.Order(id, "10"), paid) })
		all.Go(func() {
			s := subscribe(r, h, id)
			defer s.Close()
			o, err := orderview.Load(t.Context(), r.Bus, events.OrderKeyOf(rig.Shop, id), nil)
			if err != nil {
				t.Error(err)
				return
			}
			give := time.After(rig.Patience)
			for !isPaid(o.Current().Invoice) {
				select {
				case <-s.Changed():
				case <-give:
					t.Errorf("%s: the last that was heard is %+v", id, o.Current())
					return
				}
				for _, c := range s.Take() {
					o, _ = o.Apply(c)
				}
			}
		})
	}
	all.Wait()
}

func TestSubscribingWaitsForTheHub(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	h := orderview.NewHub(r.Bus, r.Log) // which does not run
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := h.SubscribeOrder(ctx, events.OrderKeyOf(rig.Shop, "1001")); err == nil {
		t.Error("a subscription to a hub that does not run")
	}
	// An event of before its start is none of its changes, and one after is.
	record(r, rig.Order("1001", "10"))
	r.Run(h)
	s := subscribe(r, h, "1001")
	defer s.Close()
	rig.AppendEvents(t, r.Bus, events.KeyOf(rig.Shop, "1001"), paid)
	waitFor(t, s, func(i events.Invoice) bool {
		if !isPaid(i) {
			t.Errorf("told of what was recorded before: %s", i.State)
		}
		return isPaid(i)
	})
}

// A gateway may stop before its hub has read anything: who subscribes then is told so at once, and answers the request that it is for.
func TestSubscribingDoesNotWaitForAHubThatHasEnded(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	h := orderview.NewHub(r.Bus, r.Log)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := h.Run(stopped); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	s, err := h.SubscribeOrder(ctx, events.OrderKeyOf(rig.Shop, "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	<-s.Ended()
}
