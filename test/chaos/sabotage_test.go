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
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/notifier"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestRefundWithoutIntentIsFound(t *testing.T) {
	m := realWorkers()
	m[refunder.Name] = func(t tools) worker { return refundsWithoutIntent{t} }
	expectFound(t, m, "which no refund of ours explains", func(s schedule) bool { return s.returnsPart() && s.crashes(refunder.Name, afterCall, beforeAppend) })
}

func TestRefundRepeatedBlindlyIsFound(t *testing.T) {
	m := realWorkers()
	real := m[refunder.Name]
	m[refunder.Name] = func(t tools) worker {
		t.provider = repeatsRefunds{t.provider}
		return real(t)
	}
	expectFound(t, m, "which no refund of ours explains", func(s schedule) bool { return s.returnsPart() && s.losesRefund() })
}

func TestAppendWithoutExpectedSequenceIsFound(t *testing.T) {
	m := realWorkers()
	m[withoutSequence] = nil
	expectFound(t, m, "and the state was", func(s schedule) bool { return s.Copies == 2 && s.returnsPart() })
}

func TestStateNotCheckedAgainAfterAConflictIsFound(t *testing.T) {
	m := realWorkers()
	m[receipter.Name] = func(t tools) worker { return appendsStaleDecision{t} }
	expectFound(t, m, "", func(s schedule) bool { return s.returnsPart() })
}

func TestPollerThatStopsAtCanceledIsFound(t *testing.T) {
	m := realWorkers()
	cancel, poll, ended := m[canceler.Name], m[poller.Name], &canceledInvoices{}
	m[canceler.Name] = func(t tools) worker {
		t.provider = reportsCanceled{t.provider, ended}
		return cancel(t)
	}
	m[poller.Name] = func(t tools) worker {
		t.provider = stopsAtCanceled{t.provider, ended}
		return poll(t)
	}
	expectFound(t, m, "never fetched", func(s schedule) bool {
		return slices.ContainsFunc(s.Orders, func(o order) bool { return o.Buyer == afterwards })
	})
}

// mostSchedules is the number of schedules in which a missing safeguard has to be found.
const mostSchedules = 48

// sabotagePatience is how long a schedule may take without a safeguard: what goes wrong often keeps it from ending.
const sabotagePatience = 20 * time.Second

// expectFound carries out schedules that fit until check reports a problem that contains the text.
func expectFound(t *testing.T, m makers, problem string, fits func(schedule) bool) {
	t.Helper()
	expectFoundWithin(t, sabotagePatience, m, problem, fits)
}

// expectFoundWithin is expectFound where a schedule may take longer.
func expectFoundWithin(t *testing.T, patience time.Duration, m makers, problem string, fits func(schedule) bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("in the short form: what is looked for is a missing safeguard, which the race detector says nothing of")
	}
	t.Parallel()
	b := newBrokers(t, patience)
	next := make(chan schedule)
	caught := make(chan result, mostSchedules)
	var running sync.WaitGroup
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	for range min(8, *flags.concurrent) {
		running.Go(func() {
			for s := range next {
				r, err := b.run(ctx, s, m)
				if err != nil {
					t.Error(err)
				}
				if ctx.Err() == nil && slices.ContainsFunc(r.problems, func(p string) bool { return strings.Contains(p, problem) }) {
					caught <- r
					enough() // the others are given up
				}
			}
		})
	}
	run := 0
	for seed := *flags.seed; run < mostSchedules && len(caught) == 0; seed++ {
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

// crashes says that the worker crashes at the boundary.
func (s schedule) crashes(worker string, at ...boundary) bool {
	for _, d := range s.Interruptions {
		for _, b := range at {
			if d.Worker == worker && d.At == b && d.Blip == 0 && d.Nth == 1 {
				return true
			}
		}
	}
	return false
}

// returnsPart says that the shop has part of a payment refunded.
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

func TestSecondPaymentThatIsKeptIsFound(t *testing.T) {
	m := realWorkers()
	m[refunder.Name] = func(t tools) worker {
		return refunder.New(refunder.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops, KeepSecond: true})
	}
	expectFound(t, m, "the order was paid before", schedule.secondPaid)
}

func TestForeignMessageTakenForAPaymentIsFound(t *testing.T) {
	m := realWorkers()
	real := m[refunder.Name]
	m[refunder.Name] = func(t tools) worker { return trustsForeignPaid{t, real(t)} }
	expectFound(t, m, "which no refund of ours explains", func(s schedule) bool {
		return slices.ContainsFunc(s.ForeignWrites, func(x foreignWrite) bool {
			return x.Body == fakePaid && x.Event == events.EventPaid && !x.Open && (x.After == events.EventPaid || x.After == events.EventReceipted)
		})
	})
}

func TestLostDurableMadeAnewWithoutHistoryIsFound(t *testing.T) {
	m := realWorkers()
	m[withoutHistory] = nil
	expectFound(t, m, "nothing is recorded of it", func(s schedule) bool {
		return slices.ContainsFunc(s.Losses, func(l loss) bool { return l.Consumer == invoicer.Name && l.Delay < 150*time.Millisecond })
	})
}

func TestLongMemoryOfMessageIDsIsFound(t *testing.T) {
	m := realWorkers()
	m[withLongMemory] = nil
	expectFound(t, m, "the message id was used", func(s schedule) bool {
		return slices.ContainsFunc(s.Orders, func(o order) bool { return o.ReusesIDs })
	})
}

func TestSilenceTakenForARefusalIsFound(t *testing.T) {
	m := realWorkers()
	real := m[invoicer.Name]
	m[invoicer.Name] = func(t tools) worker {
		t.provider = takesSilenceForRefusal{t.provider}
		return real(t)
	}
	expectFound(t, m, "ended as REJECTED", func(s schedule) bool {
		return s.Silence != nil && s.Silence.Delay < 50*time.Millisecond && slices.ContainsFunc(s.Orders, func(o order) bool {
			return o.has(events.Placed) && o.Other == (s.Silence.Terminal == otherTerminal) && o.Messages[0].Delay > 50*time.Millisecond
		})
	})
}

func TestEarlierTerminalThatIsForgottenIsFound(t *testing.T) {
	m := realWorkers()
	for name, real := range m {
		m[name] = func(t tools) worker {
			t.shops = forgetsEarlierTerminal{t.shops}
			return real(t)
		}
	}
	expectFound(t, m, "ended as ISSUED", func(s schedule) bool {
		return s.Replace > 200*time.Millisecond && slices.ContainsFunc(s.Orders, func(o order) bool {
			return o.Buyer == stays && o.has(events.Placed) && !o.Other
		})
	})
}

func TestCopyWithCredentialsOfAnotherShopIsFound(t *testing.T) {
	m := realWorkers()
	for name, real := range m {
		m[name] = func(t tools) worker {
			t.shops = usesOtherCredentials{t.shops}
			return real(t)
		}
	}
	// A message is parked for want of credentials 20 s after it came first.
	expectFoundWithin(t, 2*sabotagePatience, m, "no credentials for terminal", func(s schedule) bool {
		return s.Narrow && slices.ContainsFunc(s.Orders, func(o order) bool {
			return o.Other && o.has(events.Placed) && (o.has(events.OrderCanceled) || o.has(events.Returned))
		})
	})
}

// deadForAWhile says that a destination is dead from early on, and gets what happens meanwhile when it is back.
func (s schedule) deadForAWhile() bool {
	return slices.ContainsFunc(s.Destinations, func(x destination) bool {
		return len(x.Events) == 0 && x.Trouble != nil && x.Trouble.Kind == dead && x.Trouble.Delay < 200*time.Millisecond &&
			slices.ContainsFunc(s.Orders, func(o order) bool { return o.shop() == x.Shop && s.endsByItself(o) })
	})
}

func TestEventThatIsToldOnlyOnceIsFound(t *testing.T) {
	m := realWorkers()
	real := m[notifier.Name]
	m[notifier.Name] = func(t tools) worker {
		for i := range t.destinations {
			t.destinations[i].Outbound = takesAnyCallForDelivered{t.destinations[i].Outbound}
		}
		return real(t)
	}
	expectFound(t, m, "never arrived at the destination", schedule.deadForAWhile)
}

func TestEventThatIsRepeatedOutOfItsOrderIsFound(t *testing.T) {
	m := realWorkers()
	real := m[notifier.Name]
	m[notifier.Name] = func(t tools) worker { return repeatsInMemory{t, real} }
	expectFound(t, m, "arrived at the destination before", schedule.deadForAWhile)
}
