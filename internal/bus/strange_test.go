package bus

import (
	"testing"
	"time"
)

// However many messages there are that a copy does not serve, those that it knows are remembered: they wait no longer for
// another copy, and are not given up together.
func TestManyForeignShopsMessagesAreRememberedWithinABound(t *testing.T) {
	var s strangers
	now := time.Unix(1000, 0)
	for seq := range uint64(mostStrange + 1000) {
		if d := s.seenFor(seq, now); d != 0 {
			t.Fatalf("message %d was seen %s ago", seq, d)
		}
	}
	now = now.Add(servedElsewhere)
	forgotten := 0
	for seq := range uint64(mostStrange) {
		if s.seenFor(seq, now) < servedElsewhere {
			forgotten++
		}
	}
	if forgotten > 0 || len(s.seen) > mostStrange {
		t.Errorf("%d forgotten, %d remembered", forgotten, len(s.seen))
	}
	now = now.Add(2 * strangeGone) // other copies have handled them
	if s.seenFor(mostStrange+1, now); len(s.seen) != 1 {
		t.Errorf("%d are remembered", len(s.seen))
	}
}
