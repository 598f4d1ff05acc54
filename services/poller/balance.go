package poller

import (
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/watching"
)

// balance keeps the copies' shares alike: the broker deals out entries evenly, but a copy that was alone for a while has
// them all. It is not safe for concurrent use.
type balance struct {
	id, serves string
	roll       *watching.Pollers
	returned   map[uint64]returned // entries that were given back for another copy, by sequence
	givingBack bool
}

type returned struct {
	at        time.Time
	refused   bool      // it was delivered and not accepted
	givenBack time.Time // when it was given back after it was held
}

func newBalance(p *Worker) balance {
	return balance{id: p.id, serves: serving(p.Only), roll: p.roll, returned: map[uint64]returned{}}
}

// serving names the shops that a copy is set to serve, "" for all.
func serving(only []string) string { return strings.Join(slices.Sorted(slices.Values(only)), " ") }

// mean is how many entries the copies have that serve the same shops, this one with held of them; ok is false when this
// is the only one.
func (b *balance) mean(held int, now time.Time) (mean int, ok bool) {
	copies, entries := 1, held
	for id, w := range b.roll.Living(now) {
		if id != b.id && w.Serves == b.serves {
			copies, entries = copies+1, entries+w.Held
		}
	}
	return entries / copies, copies > 1
}

func tooMuch(held, mean int) bool { return held > mean+mean/tooMuchPart+tooMuchNumber }

// accept says whether to keep an entry that was delivered. When this copy has too much, the entry is left to another once.
// cameBack says that this copy gave it back a moment ago: no other copy can poll it, or wants to.
func (b *balance) accept(seq uint64, held int, now time.Time) (ok, cameBack bool) {
	r := b.returned[seq]
	if mean, others := b.mean(held, now); !r.refused && others && tooMuch(held, mean) {
		b.returned[seq] = returned{at: now, refused: true, givenBack: r.givenBack}
		return false, false
	}
	delete(b.returned, seq)
	return true, now.Sub(r.givenBack) < cameBackWithin
}

// noteGivenBack notes that an entry is given back for another copy.
func (b *balance) noteGivenBack(seq uint64, now time.Time) {
	b.returned[seq] = returned{at: now, givenBack: now}
}

// excess is how many entries to give back now. It is asked once a second, and forgets what was given back long ago.
func (b *balance) excess(held int, now time.Time) int {
	for seq, r := range b.returned {
		if now.Sub(r.at) > returnedMemory {
			delete(b.returned, seq)
		}
	}
	mean, others := b.mean(held, now)
	switch {
	case !others || held <= mean+1:
		b.givingBack = false
	case tooMuch(held, mean):
		b.givingBack = true
	}
	if !b.givingBack {
		return 0
	}
	return min(held-mean, max(held/excessPart, 1))
}
