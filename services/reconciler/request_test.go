package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

func fact(why string) events.Fact { return events.Fact{At: time.Now(), Why: why} }

// decide records the steps of a period, from its mark on.
func decide(t *testing.T, b *bus.Bus, k events.PeriodKey, steps ...bus.DecidePeriod) {
	t.Helper()
	for _, step := range steps {
		if _, err := b.UpdatePeriod(t.Context(), reconciler.Name, k, step); err != nil {
			t.Fatal(err)
		}
	}
}

func marking(p events.Period) (events.Period, error) { return p.Marking("t1", 5, fact("attempt")) }

func marked(p events.Period) (events.Period, error) {
	return p.MarkedAs(events.Marked{TransactionPeriodID: "P1"}, fact("marked"))
}

// parker parks every request.
type parker struct{ b *bus.Bus }

func (p parker) Run(ctx context.Context) error {
	return p.b.Work(ctx, reconciler.Consumers()[0], func(context.Context, bus.Delivery) bus.Outcome {
		return bus.Park(errors.New("20 AUTHENTICATION_FAILED"))
	})
}

func TestOnlyOneOfManyRequestsClosesThePeriod(t *testing.T) {
	t.Parallel()
	b := rig.New(t, sandbox.Config{}).Bus
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = reconciler.RequestClose(t.Context(), b, "operator", "acme", "1", fmt.Sprint(i)) })
	}
	wg.Wait()
	asked := 0
	for _, err := range errs {
		switch {
		case err == nil:
			asked++
		case !errors.Is(err, reconciler.ErrUsed):
			t.Error(err)
		}
	}
	if last, err := b.LastSeq(t.Context(), events.PeriodsStream); err != nil || asked != 1 || last != 1 {
		t.Errorf("%d requests succeeded, %d events are there (%v), expected one", asked, last, err)
	}
}

func TestUsedPeriodIsGivenAsItIs(t *testing.T) {
	t.Parallel()
	b := rig.New(t, sandbox.Config{}).Bus
	if _, err := reconciler.RequestClose(t.Context(), b, "operator", "acme", "1", "first"); err != nil {
		t.Fatal(err)
	}
	decide(t, b, events.PeriodKeyOf("acme", "1"), marking, marked)
	p, err := reconciler.RequestClose(t.Context(), b, "operator", "acme", "1", "second")
	if !errors.Is(err, reconciler.ErrUsed) || p.State != events.PeriodMarked {
		t.Errorf("asked again: %s, %v", p.State, err)
	}
}

func TestAwaitEndsWithTheComparison(t *testing.T) {
	t.Parallel()
	b := rig.New(t, sandbox.Config{}).Bus
	k := events.PeriodKeyOf("acme", "1")
	if _, err := reconciler.RequestClose(t.Context(), b, "operator", "acme", "1", ""); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reconciler.Await(short, b, k); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller gave up: %v", err)
	}
	end := func(p events.Period) (events.Period, error) {
		return p.Compared(events.Comparison{Differences: 2}, fact("compared"))
	}
	ended := make(chan error, 1)
	var p events.Period
	go func() {
		var err error
		p, err = reconciler.Await(t.Context(), b, k)
		ended <- err
	}()
	decide(t, b, k, marking, marked, end)
	if err := <-ended; err != nil || p.State != events.PeriodMismatched || p.Differences != 2 {
		t.Errorf("awaited %s (%v)", p.State, err)
	}
}

func TestAwaitEndsWhenItIsParked(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	b := r.Bus
	k := events.PeriodKeyOf("acme", "1")
	if _, parked, err := b.LastParked(t.Context(), reconciler.Name, k.Shop, k.Period); err != nil || parked {
		t.Fatalf("parked before anything happened: %v", err)
	}
	r.Run(parker{b})
	if _, err := reconciler.RequestClose(t.Context(), b, "operator", "acme", "1", ""); err != nil {
		t.Fatal(err)
	}
	var parked *reconciler.ParkedError
	if p, err := reconciler.Await(t.Context(), b, k); !errors.As(err, &parked) || p.State != events.PeriodClosing ||
		parked.Parked.Reason != "20 AUTHENTICATION_FAILED" {
		t.Fatalf("awaited %s, %v", p.State, err)
	}
}

func TestReplayedPeriodIsNotParkedAnyMore(t *testing.T) {
	t.Parallel()
	b := rig.New(t, sandbox.Config{}).Bus
	k := events.PeriodKeyOf("acme", "1")
	subject := events.ParkedSubject("reconciler", k.Shop, k.Period)
	if err := b.Replay(t.Context(), bus.ParkedMessage{On: subject, Parked: events.Parked{Worker: "reconciler", Reason: "x", Subject: k.Subject("closing")}, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if _, parked, err := b.LastParked(t.Context(), reconciler.Name, k.Shop, k.Period); err != nil || parked {
		t.Errorf("parked %v, %v", parked, err)
	}
}
