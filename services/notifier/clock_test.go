package notifier_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// TestTheFirstAttemptIsTimedByTheBrokersClock: also the first attempt of a process whose machine's clock is wrong. It says how old the
// event is, and when the next attempt is due.
func TestTheFirstAttemptIsTimedByTheBrokersClock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	for i := range 30 {
		id := fmt.Sprint("o", i)
		b := f.ConnectWith(bus.Config{Clock: func() time.Time { return time.Now().Add(-time.Hour) }})
		erp := newSystem(takes)
		f.issue(id)
		stop := f.Run(notifier.New(notifier.Config{Bus: b, Log: f.Log, Destinations: []notifier.Destination{{Shop: rig.Shop, Name: "erp", Outbound: erp}}}))
		erp.waitFor(t, 1)
		stop()
		b.Close()
		for _, a := range f.attempts("erp", id) {
			if off := time.Since(a.At); off.Abs() > time.Minute {
				t.Errorf("%s: the attempt is %s off", id, off)
			}
		}
	}
}
