package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// mark leads a period that was asked for to MARKED.
func mark(id string) []bus.DecidePeriod {
	return []bus.DecidePeriod{
		func(p events.Period) (events.Period, error) { return p.Marking("t1", 5, fact("attempt")) },
		func(p events.Period) (events.Period, error) {
			return p.MarkedAs(events.Marked{TransactionPeriodID: id}, fact("marked"))
		},
	}
}

func decide(t *testing.T, b *bus.Bus, k events.PeriodKey, steps ...bus.DecidePeriod) {
	t.Helper()
	for _, step := range steps {
		if _, err := b.UpdatePeriod(t.Context(), "reconciler", k, step); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPeriodIsLoadedAsItsLastEventHasIt(t *testing.T) {
	b := newBus(t)
	k := events.PeriodKeyOf("acme", "may 1")
	if l, err := b.LoadPeriod(t.Context(), k); err != nil || l.Seq != 0 || l.State != "" {
		t.Fatalf("a period that nobody asked for: %+v, %v", l, err)
	}
	if _, err := b.RequestClose(t.Context(), "operator", "acme", "may 1", "end of day"); err != nil {
		t.Fatal(err)
	}
	decide(t, b, k, mark("P1")...)
	l, err := b.LoadPeriod(t.Context(), k)
	if err != nil || l.State != events.PeriodMarked || l.TransactionPeriodID != "P1" || l.Seq != 3 || l.Period.Period != "may 1" {
		t.Fatalf("loaded %+v, %v", l, err)
	}
}

func TestOnlyOneOfManyRequestsClosesThePeriod(t *testing.T) {
	b := newBus(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = b.RequestClose(t.Context(), "operator", "acme", "1", fmt.Sprint(i)) })
	}
	wg.Wait()
	asked := 0
	for _, err := range errs {
		switch {
		case err == nil:
			asked++
		case !errors.Is(err, bus.ErrPeriodUsed):
			t.Error(err)
		}
	}
	if last, err := b.LastSeq(t.Context(), events.PeriodsStream); err != nil || asked != 1 || last != 1 {
		t.Errorf("%d requests succeeded, %d events are there (%v), expected one", asked, last, err)
	}
}

func TestUsedPeriodIsGivenAsItIs(t *testing.T) {
	b := newBus(t)
	if _, err := b.RequestClose(t.Context(), "operator", "acme", "1", "first"); err != nil {
		t.Fatal(err)
	}
	decide(t, b, events.PeriodKeyOf("acme", "1"), mark("P1")...)
	p, err := b.RequestClose(t.Context(), "operator", "acme", "1", "second")
	if !errors.Is(err, bus.ErrPeriodUsed) || p.State != events.PeriodMarked {
		t.Errorf("asked again: %s, %v", p.State, err)
	}
}

func TestUnreadablePeriodIsTold(t *testing.T) {
	b := newBus(t)
	for i, body := range []string{"not JSON", `{"data":"text"}`, `{}`} {
		k := events.PeriodKeyOf("acme", fmt.Sprint(i))
		if err := b.PublishRaw(t.Context(), k.Subject("closing"), "", []byte(body)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.LoadPeriod(t.Context(), k); !errors.Is(err, bus.ErrPeriodUnreadable) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAwaitPeriodEndsWithTheComparison(t *testing.T) {
	b := newBus(t)
	k := events.PeriodKeyOf("acme", "1")
	if _, err := b.RequestClose(t.Context(), "operator", "acme", "1", ""); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.AwaitPeriod(short, k); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller gave up: %v", err)
	}
	end := func(p events.Period) (events.Period, error) {
		return p.Compared(events.Comparison{Differences: 2}, fact("compared"))
	}
	ended := make(chan error, 1)
	var p events.Period
	go func() {
		var err error
		p, err = b.AwaitPeriod(t.Context(), k)
		ended <- err
	}()
	decide(t, b, k, append(mark("P1"), end)...)
	if err := <-ended; err != nil || p.State != events.PeriodMismatched || p.Differences != 2 {
		t.Errorf("awaited %s (%v)", p.State, err)
	}
}

func TestAwaitPeriodEndsWhenItIsParked(t *testing.T) {
	b := newBus(t)
	k := events.PeriodKeyOf("acme", "1")
	if _, parked, err := b.PeriodParked(t.Context(), k); err != nil || parked {
		t.Fatalf("parked before anything happened: %v", err)
	}
	work(t, b, bus.Consumer{Worker: "reconciler", Name: "reconciler", Stream: events.PeriodsStream, Filters: []string{"periods.*.*.closing"}},
		func(context.Context, bus.Delivery) bus.Outcome {
			return bus.Park(errors.New("20 AUTHENTICATION_FAILED"))
		})
	if _, err := b.RequestClose(t.Context(), "operator", "acme", "1", ""); err != nil {
		t.Fatal(err)
	}
	var parked *bus.PeriodParkedError
	if p, err := b.AwaitPeriod(t.Context(), k); !errors.As(err, &parked) || p.State != events.PeriodClosing ||
		parked.Parked.Reason != "20 AUTHENTICATION_FAILED" {
		t.Fatalf("awaited %s, %v", p.State, err)
	}
}

func TestReplayedPeriodIsNotParkedAnyMore(t *testing.T) {
	b := newBus(t)
	k := events.PeriodKeyOf("acme", "1")
	subject := events.ParkedSubject("reconciler", k.Shop, k.Period)
	if err := b.Replay(t.Context(), subject, events.Parked{Worker: "reconciler", Reason: "x", Subject: k.Subject("closing")}, 1); err != nil {
		t.Fatal(err)
	}
	if _, parked, err := b.PeriodParked(t.Context(), k); err != nil || parked {
		t.Errorf("parked %v, %v", parked, err)
	}
}
