package notifier

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/commerce"
)

func TestCallsThatWereUnderWayDoNotLengthenTheFirstPauseOfASilentDestination(t *testing.T) {
	t.Parallel()
	const first = time.Minute
	p := pace{probes: bus.Backoff{First: first, Most: time.Hour}}
	begun := time.Unix(1_000_000, 0)
	now := begun
	fail := func(after time.Duration) {
		p.learn(commerce.Result{Status: commerce.Again, After: after}, begun, now, now)
	}
	longest := first * 3 / 2 // with its jitter
	for range silentAfter - 1 + 8 {
		now = now.Add(time.Millisecond)
		fail(0)
	}
	if pause := p.pause(now); !p.down() || pause <= 0 || pause > longest {
		t.Fatalf("down %t; the first pause is %s, expected at most %s", p.down(), pause, longest)
	}
	now = p.until.Add(time.Second) // such a call may take longer than the pause
	fail(0)
	if pause := p.pause(now); pause != 0 {
		t.Errorf("a call that was under way when the destination went silent makes a pause of %s", pause)
	}
	fail(2 * time.Hour)
	if pause := p.pause(now); pause != 2*time.Hour {
		t.Errorf("the destination asked for 2 h, and the pause is %s", pause)
	}
	now = p.until
	for n := 2; n <= 3; n++ { // probes do
		begun = now
		before := p.failures
		fail(0)
		if p.failures != before+1 || p.pause(now) <= 0 {
			t.Errorf("after probe %d: %d failures, a pause of %s", n, p.failures, p.pause(now))
		}
		now = p.until
	}
}
