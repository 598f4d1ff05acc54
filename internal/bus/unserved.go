package bus

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

const (
	// mostUnserved bounds what is remembered of messages that this copy does not serve.
	mostUnserved = 100_000
	// unservedGone is how long after a message was here last another copy must have handled it: longer than any pause.
	unservedGone = 2 * time.Minute
	// unservedLeast is the first pause of such a message. A later pause is the time since the message came first, divided by
	// unservedPart. The broker delivers it to any copy: where one of ten copies serves it, one message of a hundred is
	// delivered 44 times before it comes to that copy, which takes 1.2 s.
	unservedLeast = 25 * time.Millisecond
	unservedPart  = 32
	// unservedPerSecond is how many messages a second a copy gives back at most; more wait longer.
	unservedPerSecond = 500
)

// Unserved says how long a copy of a worker leaves messages that it does not serve to the other copies. It is not safe for concurrent
// use.
type Unserved struct {
	most  time.Duration // the longest pause
	rate  *rate.Limiter
	seen  map[uint64]*unservedMessage // by sequence
	swept time.Time
}

type unservedMessage struct{ first, last time.Time }

// NewUnserved gives a Unserved that leaves a message for no longer than most at a time.
func NewUnserved(most time.Duration) *Unserved {
	return &Unserved{most: most, rate: rate.NewLimiter(unservedPerSecond, unservedPerSecond), seen: map[uint64]*unservedMessage{}}
}

// Leave says how long it is until the message may come again, and how long ago this copy saw it first. It remembers 100,000 messages;
// one more counts as seen just now, and none is forgotten for it.
func (s *Unserved) Leave(seq uint64, now time.Time) (pause, seen time.Duration) {
	x := s.seen[seq]
	if x == nil {
		x = &unservedMessage{first: now}
		if s.sweep(now); len(s.seen) < mostUnserved {
			s.seen[seq] = x
		}
	}
	x.last = now
	seen = now.Sub(x.first)
	pause = anyOf(max(seen/unservedPart, unservedLeast))
	r := s.rate.ReserveN(now, 1)
	if pause += r.DelayFrom(now); pause > s.most {
		r.CancelAt(now)
		pause = anyOf(s.most)
	}
	return pause, seen
}

// forget forgets a message that is settled.
func (s *Unserved) forget(seq uint64) { delete(s.seen, seq) }

// sweep forgets messages that have not come for long.
func (s *Unserved) sweep(now time.Time) {
	if now.Sub(s.swept) < unservedGone/4 {
		return
	}
	s.swept = now
	for seq, x := range s.seen {
		if now.Sub(x.last) > unservedGone {
			delete(s.seen, seq)
		}
	}
}

// anyOf gives a half to one and a half of a pause. If two copies gave two messages back in step, the broker could deliver each to the
// same wrong copy for ever.
func anyOf(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
