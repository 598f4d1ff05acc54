package chaos

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestRefundWithoutIntentIsFound(t *testing.T) {
	m := realWorkers()
	m[refunder.Name] = func(t tools) worker { return hasty{t} }
	found(t, m, "nothing here explains", func(s schedule) bool { return s.returnsPart() && s.strikes(refunder.Name, afterCall, beforeAppend) })
}

func TestRefundRepeatedBlindlyIsFound(t *testing.T) {
	m := realWorkers()
	real := m[refunder.Name]
	m[refunder.Name] = func(t tools) worker {
		t.provider = stubborn{t.provider}
		return real(t)
	}
	found(t, m, "nothing here explains", func(s schedule) bool { return s.returnsPart() && s.losesRefund() })
}

func TestAppendWithoutExpectedSequenceIsFound(t *testing.T) {
	m := realWorkers()
	m[withoutSequence] = nil
	found(t, m, "says it follows", func(s schedule) bool { return s.Copies == 2 && s.returnsPart() })
}

func TestStateNotCheckedAgainAfterAConflictIsFound(t *testing.T) {
	m := realWorkers()
	m[receipter.Name] = func(t tools) worker { return stale{t} }
	found(t, m, "", func(s schedule) bool { return s.returnsPart() })
}

func TestPollerThatStopsAtCanceledIsFound(t *testing.T) {
	m := realWorkers()
	cancel, poll, ended := m[canceler.Name], m[poller.Name], &canceledBills{}
	m[canceler.Name] = func(t tools) worker {
		t.provider = tellsOfCanceled{t.provider, ended}
		return cancel(t)
	}
	m[poller.Name] = func(t tools) worker {
		t.provider = believesCanceled{t.provider, ended}
		return poll(t)
	}
	found(t, m, "never fetched", func(s schedule) bool {
		return slices.ContainsFunc(s.Orders, func(o order) bool { return o.Buyer == afterwards })
	})
}

// bound is in how many schedules a missing safeguard has to be found.
const bound = 48

// impatience is how long a sabotaged world may take: what it does wrong often keeps it from coming to rest.
const impatience = 20 * time.Second

// found carries out schedules that fit until the checker complains of what the sabotage must lead to.
func found(t *testing.T, m makers, complaint string, fits func(schedule) bool) {
	t.Helper()
	t.Parallel()
	b := newBrokers(t, impatience)
	next := make(chan schedule)
	caught := make(chan result, bound)
	var running sync.WaitGroup
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	for range min(8, *given.worlds) {
		running.Go(func() {
			for s := range next {
				r, err := b.run(ctx, s, m)
				if err != nil {
					t.Error(err)
				}
				if ctx.Err() == nil && slices.ContainsFunc(r.problems, func(p string) bool { return strings.Contains(p, complaint) }) {
					caught <- r
					enough() // the others are given up
				}
			}
		})
	}
	run := 0
	for seed := *given.seed; run < bound && len(caught) == 0; seed++ {
		if s := generate(seed); fits(s) {
			next <- s
			run++
		}
	}
	close(next)
	running.Wait()
	if len(caught) == 0 {
		t.Fatalf("not found in %d schedules", run)
	}
	r := <-caught
	t.Logf("found by seed %d, one of the first %d that fit: %q", r.schedule.Seed, run, r.problems)
}

// strikes says that the worker dies at the boundary.
func (s schedule) strikes(worker string, at ...boundary) bool {
	for _, d := range s.Deaths {
		for _, b := range at {
			if d.Worker == worker && d.At == b && d.Blip == 0 && d.Nth == 1 {
				return true
			}
		}
	}
	return false
}

// returnsPart says that part of a payment is to be paid back, and the answer to a refund is lost.
func (s schedule) returnsPart() bool {
	for _, o := range s.Orders {
		for _, m := range o.Messages {
			if m.Name == events.Returned && m.Ore > 0 && m.Ore < o.Ore/2 && o.Buyer == pays && !o.has(events.OrderCanceled) && o.has(events.Placed) {
				return true
			}
		}
	}
	return false
}

func (s schedule) losesRefund() bool {
	for _, f := range s.Faults {
		if f.Op == "refundPayment" && (f.Kind == sandbox.FaultDropAfter || f.Kind == sandbox.FaultResultCodeAfter) {
			return true
		}
	}
	return false
}
