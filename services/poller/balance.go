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
	refused    map[uint64]time.Time // entries that were not taken, by sequence; one that comes again is taken
	shed       map[uint64]time.Time // entries that were given back for another copy; one that comes back is kept
	shedding   bool

	looked          time.Time // when others and theirs were last found
	others, entries int       // copies that serve the same shops, without this one, and what they hold
}

func newBalance(p *Worker) balance {
	return balance{id: p.id, serves: serving(p.Only), roll: p.roll, refused: map[uint64]time.Time{}, shed: map[uint64]time.Time{}}
}

// serving names the shops that a copy is set to serve, "" for all.
func serving(only []string) string { return strings.Join(slices.Sorted(slices.Values(only)), " ") }

const (
	// above the mean by this part and this number a copy has too much.
	tooMuchPart   = 4 // a quarter
	tooMuchNumber = 10
	// shedPart is the part of its entries that a copy gives back in one second.
	shedPart = 10
	// shedMemory is how long an entry that was given back or refused is remembered.
	shedMemory = time.Minute
	// shedBack is how soon an entry comes again that no other copy has taken.
	shedBack = 3 * time.Second
	// rollFor is how long a look at the other copies counts.
	rollFor = 100 * time.Millisecond
)

// mean is how many entries the copies have that serve the same shops, this one with held of them; ok is false when this
// is the only one.
func (b *balance) mean(held int, now time.Time) (mean int, ok bool) {
	if now.Sub(b.looked) > rollFor {
		b.looked, b.others, b.entries = now, 0, 0
		for id, w := range b.roll.Living(now) {
			if id != b.id && w.Serves == b.serves {
				b.others, b.entries = b.others+1, b.entries+w.Held
			}
		}
	}
	return (b.entries + held) / (b.others + 1), b.others > 0
}

func tooMuch(held, mean int) bool { return held > mean+mean/tooMuchPart+tooMuchNumber }

// accept says whether to take an entry.
func (b *balance) accept(seq uint64, held int, now time.Time) bool {
	if _, again := b.refused[seq]; again {
		delete(b.refused, seq)
		return true
	}
	mean, others := b.mean(held, now)
	if !others || !tooMuch(held, mean) {
		return true
	}
	b.refused[seq] = now
	return false
}

// excess is how many entries to give back now; it is asked once a second.
func (b *balance) excess(held int, now time.Time) int {
	mean, others := b.mean(held, now)
	switch {
	case !others || held <= mean+1:
		b.shedding = false
	case tooMuch(held, mean):
		b.shedding = true
	}
	if !b.shedding {
		return 0
	}
	return min(held-mean, max(held/shedPart, 1))
}

func (b *balance) noteShed(seq uint64, now time.Time) { b.shed[seq] = now }

// cameBack says whether the entry was given back a moment ago: no other copy can poll it, or wants to.
func (b *balance) cameBack(seq uint64, now time.Time) bool {
	at, shed := b.shed[seq]
	delete(b.shed, seq)
	return shed && now.Sub(at) < shedBack
}

func (b *balance) tidy(now time.Time) {
	for _, m := range []map[uint64]time.Time{b.refused, b.shed} {
		for seq, at := range m {
			if now.Sub(at) > shedMemory {
				delete(m, seq)
			}
		}
	}
}
