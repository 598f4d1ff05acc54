package poller

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/watching"
)

// A copy that has too much gives it back evenly, takes nothing more for a moment, and keeps what no other copy takes.
func TestCopiesComeToShareEvenlyAndKeepWhatNoOtherTakes(t *testing.T) {
	now := time.Unix(1000, 0)
	b := &balance{id: "me", roll: &watching.Pollers{}, returned: map[uint64]returned{}}
	accept := func(seq uint64) bool { ok, _ := b.accept(seq, 5000, now); return ok }
	if n := b.excess(5000, now); n != 0 || !accept(1) {
		t.Errorf("the only copy gives %d back", n)
	}
	tell := func(held int, serves string) {
		now = now.Add(time.Second)
		b.roll.Note(watching.Announcement{ID: "other", Held: held, Serves: serves}, now)
	}
	tell(0, "other shops")
	if n := b.excess(5000, now); n != 0 {
		t.Errorf("a copy that serves other shops is given %d", n)
	}
	tell(0, "")
	if accept(2) {
		t.Error("a copy with far too much takes more")
	}
	if !accept(2) {
		t.Error("an entry that nobody else took is refused again")
	}
	mine, theirs, seconds := 1000, 0, 0
	for n := b.excess(mine, now); n > 0; n = b.excess(mine, now) {
		if n > mine/10 {
			t.Fatalf("%d of %d given back in a second", n, mine)
		}
		mine, theirs, seconds = mine-n, theirs+n, seconds+1
		tell(theirs, "")
	}
	if mine-theirs > 2 || theirs > mine || seconds > 15 {
		t.Errorf("%d and %d after %d s", mine, theirs, seconds)
	}
	b.noteGivenBack(3, now)
	now = now.Add(time.Second)
	if ok, cameBack := b.accept(3, mine, now); !ok || !cameBack {
		t.Error("an entry that came back at once is not kept")
	}
	if _, cameBack := b.accept(3, mine, now); cameBack {
		t.Error("an entry that came back is kept twice")
	}
	now = now.Add(10 * time.Second) // the other copy died
	if n := b.excess(5000, now); n != 0 || !accept(4) {
		t.Errorf("%d given back to a dead copy", n)
	}
}
