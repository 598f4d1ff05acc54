package notifier_test

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// TestADestinationThatIsDeadForADay: everything arrives when it is back, in order, and the other destination waits for nothing. While
// it is dead it has the broker keep what waits.
func TestADestinationThatIsDeadForADay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "dead", "well")
	down, well := newSystem(dead), newSystem(takes)
	f.start(map[string]*system{"dead": down, "well": well})
	const n = 300
	f.issue(ids(n)...)
	down.waitAsked(t, 8) // silent by now
	for range 24 {
		f.forward(time.Hour)
		down.waitAsked(t, 2)
	}
	f.pay(ids(n)...)
	well.waitFor(t, 3*n)
	if asked := down.asks(); asked > n {
		t.Errorf("a dead destination was asked %d times", asked)
	}
	if p := f.pending("dead"); p > 250 {
		t.Errorf("%d messages are leased or were tried", p)
	}
	down.answers(takes)
	down.waitFor(t, 3*n)
	f.Idle()
	for _, s := range []*system{down, well} {
		if len(s.took) != 3*n {
			t.Errorf("%d events were taken", len(s.took))
		}
		for _, id := range ids(n) {
			if got := s.of(id); got != wholeLife {
				t.Fatalf("%s: %s", id, got)
			}
		}
	}
}

// What was tried in vain while the destination was silent is told soon after it is back, however long that took.
func TestEventsTriedInVainDoNotWaitForHoursAfterAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(dead)
	f.startWith(notifier.Config{Backoff: bus.Backoff{First: time.Millisecond, Most: time.Hour}}, map[string]*system{"erp": erp})
	f.issue(ids(2)...)
	erp.waitAsked(t, 60)
	erp.answers(takes)
	erp.waitFor(t, 2)
}

func TestAnEventIsGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(dead)
	f.start(map[string]*system{"erp": erp})
	f.issue("1")
	erp.waitAsked(t, 2)
	f.forward(71 * time.Hour)
	erp.waitAsked(t, 2)
	if open, err := f.Bus.OpenParked(t.Context()); err != nil || len(open) != 0 {
		t.Fatalf("parked too early: %+v, %v", open, err)
	}
	f.forward(time.Hour)
	if p := f.WaitParked(notifier.Name, "1"); p.Reason != "erp did not take it: connection refused" || p.Attempts < 4 {
		t.Errorf("%+v", p)
	}
	f.Idle()
	if all := f.attempts("erp", "1"); all[len(all)-1].Status != events.DeliveryGivenUp {
		t.Errorf("%+v", all)
	}
}

// TestWhatIsOlderThanThreeDaysIsGivenUpWithoutAnAttempt: the destination has been silent since.
func TestWhatIsOlderThanThreeDaysIsGivenUpWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(dead)
	f.start(map[string]*system{"erp": erp})
	f.issue(ids(200)...)
	erp.waitAsked(t, 10)
	asked := erp.asks()
	f.forward(73 * time.Hour)
	for _, id := range ids(200) {
		f.WaitParked(notifier.Name, id)
	}
	f.Idle()
	if more := erp.asks() - asked; more > 100 {
		t.Errorf("asked %d times for what was given up", more)
	}
}
