package bus_test

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// A person who looks for warnings finds a payment that may have been reversed.
func TestAPossibleReversalIsLoggedAsAWarning(t *testing.T) {
	t.Parallel()
	b, _, log, _ := measuredBus(t)
	for level, gap := range map[string]time.Duration{"info": 0, "warn": 37 * time.Second} {
		if err := rig.RecordIssued(t.Context(), b, rig.Recorded{ID: level, Reference: level}); err != nil {
			t.Fatal(err)
		}
		_, err := b.Update(t.Context(), "poller", events.Key{Shop: rig.Shop, Invoice: level}, func(i events.Invoice) (events.Invoice, error) {
			return i.EndedBy(events.EventCanceled, "poller", events.Fact{At: b.Now(), Why: "test", Gap: gap})
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"level":"` + level + `","worker":"poller","shop":"acme","invoice":"` + level + `","event":"canceled"`; log.with(want) != 1 {
			t.Errorf("no line %s", want)
		}
	}
}
