package bus

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

const (
	// mostStrange bounds what is remembered of messages that this copy does not serve.
	mostStrange = 100_000
	// strangeGone is how long after a message was here last another copy must have handled it: longer than any pause.
	strangeGone = 2 * time.Minute
	// strangeLeast is the first pause of such a message, and strangePart the part of the time since it came first that the
	// later ones are. The broker deals it to any copy: where one of ten serves it, one message of a hundred is dealt 44
	// times before it comes to that one, which takes 1.2 s.
	strangeLeast = 25 * time.Millisecond
	strangePart  = 32
	// strangePerSecond is how many a second a copy gives back at most, whatever number of them waits; more wait longer.
	strangePerSecond = 500
)

// Strangers says for how long a copy leaves messages that it does not serve to the others. It is not safe for concurrent use.
type Strangers struct {
	most  time.Duration // the longest pause
	rate  *rate.Limiter
	seen  map[uint64]*stranger // by sequence
	swept time.Time
}

type stranger struct{ first, last time.Time }

// NewStrangers with the longest pause.
func NewStrangers(most time.Duration) *Strangers {
	return &Strangers{most: most, rate: rate.NewLimiter(strangePerSecond, strangePerSecond), seen: map[uint64]*stranger{}}
}

// Leave says how long until the message may come again, and how long ago this copy saw it first. When it cannot remember any
// more of them, a new one counts as seen just now until there is room: none of those that it knows is forgotten for it.
func (s *Strangers) Leave(seq uint64, now time.Time) (pause, seen time.Duration) {
	x := s.seen[seq]
	if x == nil {
		x = &stranger{first: now}
		if s.sweep(now); len(s.seen) < mostStrange {
			s.seen[seq] = x
		}
	}
	x.last = now
	seen = now.Sub(x.first)
	pause = anyOf(max(seen/strangePart, strangeLeast))
	r := s.rate.ReserveN(now, 1)
	if pause += r.DelayFrom(now); pause > s.most {
		r.CancelAt(now)
		pause = anyOf(s.most)
	}
	return pause, seen
}

// Forget a message that is settled.
func (s *Strangers) Forget(seq uint64) { delete(s.seen, seq) }

// sweep forgets what has not come for long, at most once in a while.
func (s *Strangers) sweep(now time.Time) {
	if now.Sub(s.swept) < strangeGone/4 {
		return
	}
	s.swept = now
	for seq, x := range s.seen {
		if now.Sub(x.last) > strangeGone {
			delete(s.seen, seq)
		}
	}
}

// anyOf is a half to one and a half of a pause. Of two messages that two copies give back in step, the broker would deal each
// to the same wrong copy for ever.
func anyOf(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
