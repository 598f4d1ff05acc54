package poller

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// balance keeps the copies' shares alike: the broker deals out entries evenly, but a copy that was alone for a while has
// them all. It is safe for concurrent use.
type balance struct {
	id, serves string
	roll       *bus.Roll

	mu        sync.Mutex
	refused   map[uint64]time.Time // entries that were not accepted, by sequence; one that comes again is accepted
	shed      map[uint64]time.Time // entries that were given back for another copy; one that comes back is kept
	strangers *bus.Strangers       // entries that this copy cannot poll
	shedding  bool

	looked          time.Time // when others and entries were last found
	others, entries int       // copies that serve the same shops, without this one, and what they hold
}

func newBalance(p *Worker) *balance {
	return &balance{id: p.id, serves: serving(p.Only), roll: p.roll, strangers: bus.NewStrangers(notServedMost),
		refused: map[uint64]time.Time{}, shed: map[uint64]time.Time{}}
}

// serving names the shops that a copy is set to serve, "" for all.
func serving(only []string) string { return strings.Join(slices.Sorted(slices.Values(only)), " ") }

// mean is how many entries the copies have that serve the same shops, this one with held of them; ok is false when this
// is the only one. It is called with mu held.
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

// accept says whether to keep an entry that was delivered.
func (b *balance) accept(seq uint64, held int, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
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

// excess is how many entries to give back now. It is asked once a second, and forgets what was noted long ago.
func (b *balance) excess(held int, now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, noted := range []map[uint64]time.Time{b.refused, b.shed} {
		for seq, at := range noted {
			if now.Sub(at) > shedMemory {
				delete(noted, seq)
			}
		}
	}
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

func (b *balance) noteShed(seq uint64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shed[seq] = now
}

// cameBack says whether the entry was given back a moment ago: no other copy can poll it, or wants to.
func (b *balance) cameBack(seq uint64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, shed := b.shed[seq]
	delete(b.shed, seq)
	return shed && now.Sub(at) < shedBack
}

// strangerPause is for how long an entry that this copy cannot poll is left to the others.
func (b *balance) strangerPause(seq uint64, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	pause, _ := b.strangers.Leave(seq, now)
	return pause
}
