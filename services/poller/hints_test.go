package poller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// The invoicer's hints take nothing from the budget of those that anybody can send, and wait for none of it: with an interval of
// an hour an invoice without one would be asked about after half an hour.
func TestNewInvoicesArePolledAtOnceWhateverHintsCome(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Interval = time.Hour
	r.Run(poller.New(cfg))
	r.Record(rig.Recorded{ID: "up", Reference: "up"})
	p.await(t, "up", 1)
	for range 4 * 200 { // a stranger uses the budget up, and all that is remembered of early hints
		for _, id := range []string{"up", "no such"} {
			if err := r.Bus.Hint(events.KeyOf(rig.Shop, id)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const n = 600 // three times the budget's burst
	recordAll(t, r, n, func(i int) rig.Recorded { return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i)} })
	for i := range n {
		p.await(t, fmt.Sprint(i), 1)
	}
}
