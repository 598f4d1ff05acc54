package notifier_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// TestEachEventHasItsOwnAttempts: an event that was parked is sent again while a later one of its invoice is tried in vain. Neither
// begins anew because of the other: the pauses grow, and both are given up in the end.
func TestEachEventHasItsOwnAttempts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	var refuses atomic.Bool
	var again, later atomic.Int32 // attempts
	refuses.Store(true)
	erp := newSystem(func(n commerce.Notice) commerce.Result {
		switch {
		case n.Invoice.InvoiceID != "1":
			return takes(n)
		case refuses.Load():
			return commerce.Result{Status: commerce.Refused, Code: 400, Detail: "not so"}
		case n.Name == events.EventIssued:
			again.Add(1)
		default:
			later.Add(1)
		}
		return commerce.Result{Status: commerce.Again, Code: 500, Detail: "oops"}
	})
	f.start(map[string]*system{"erp": erp})
	f.issue("1")
	f.WaitParked(notifier.Name, "1")
	f.Idle()
	refuses.Store(false)
	f.pay("1")
	erp.waitAsked(t, 2)
	open, err := f.Bus.OpenParked(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	if err := f.Bus.Replay(t.Context(), open[0]); err != nil {
		t.Fatal(err)
	}
	before := later.Load()
	for i := 1; again.Load() < 4 || later.Load() < before+4; i++ {
		if i > 2000 {
			t.Fatalf("%d attempts of the replay, %d of the later event", again.Load(), later.Load())
		}
		f.issue(fmt.Sprint("other", i)) // so that the destination does not count as silent
		erp.waitFor(t, i)
	}
	last := map[uint64]events.DeliveryAttempt{}
	for _, a := range f.attempts("erp", "1")[1:] {
		before := last[a.Sequence]
		if a.Attempt != before.Attempt+1 || before.Attempt > 0 && !a.FirstAt.Equal(before.FirstAt) {
			t.Errorf("%s after attempt %d: attempt %d, first at %s", a.Event, before.Attempt, a.Attempt, a.FirstAt)
		}
		last[a.Sequence] = a
	}
	if len(last) != 2 {
		t.Errorf("attempts of %d events", len(last))
	}
}
