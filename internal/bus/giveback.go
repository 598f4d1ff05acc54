package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seqrflow/seqrflow/pkg/events"
)

const (
	// askAfter is how long after a copy saw a message first it asks whether another copy has the credentials that it lacks: most
	// messages have come to that copy by then.
	askAfter = 2 * time.Second
	// askFor is how long it asks before it parks the message: longer than a copy takes to notice that its broker has died, 15 s, and to
	// connect to another one.
	askFor = 18 * time.Second
)

// notServed gives a message back whose shop this copy does not serve.
func (w *work) notServed(l *Lease, shop string, why error) {
	if errors.Is(why, ErrOtherCopy) {
		pause, _ := w.unservedPause(l.seq)
		l.GiveBack(pause)
		return
	}
	w.leave(l, shop, "", why)
}

// leave gives a message back for a copy that has the credentials that this one lacks: of the shop, or of one terminal of it. It asks
// for that copy each time that the message comes, and parks the message when no copy has said for askFor that it has them.
func (w *work) leave(l *Lease, shop, terminal string, why error) {
	pause, seen := w.unservedPause(l.seq)
	if seen < askAfter || l.replay || w.serving.askedInVain(shop, terminal) < askFor || seen < askAfter+askFor || w.serving.elsewhere(w.inHand, shop, terminal) {
		l.GiveBack(pause)
		return
	}
	o := Park(fmt.Errorf("%w of any %s that has seen the message", why, w.spec.Worker))
	if err := w.fetch(l); err != nil {
		o = notFetched(err)
	}
	w.settle(l, o, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unserved.forget(l.seq)
}

// unservedPause gives how long the message is left to other copies, and how long ago this copy saw it first.
func (w *work) unservedPause(seq uint64) (pause, seen time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unserved.Leave(seq, time.Now())
}

// overflow gives how long a message that is too much to keep leased stays at the broker: the longest pause of the backoff or more
// when its terminal is silent, else a part of it, and longer when so many messages come and go that the broker would be busy with
// them. The broker looks through all that waits whenever a pause ends, so the pauses of many messages end together, in groups.
func (w *work) overflow(t *terminal) time.Duration {
	group := max(w.spec.Backoff.Most/30, time.Millisecond)
	least, groups := group, 4
	if t.window.Silent() {
		least, groups = 30*group, 30
	}
	if wanted := w.comeBack.note(time.Now()) / comeBackPerSecond * float64(time.Second); wanted > float64(time.Duration(groups)*group) {
		groups = int(wanted / float64(group))
	}
	now := time.Now()
	end := now.Add(least + time.Duration(rand.IntN(groups))*group)
	return end.Truncate(group).Add(group).Sub(now)
}

// comeBackPerSecond is about how many messages a second may come back that were too much to keep leased.
const comeBackPerSecond = 4000

// recent counts events of the last half minute: the older an event, the less it counts.
type recent struct {
	n  float64
	at time.Time
}

func (r *recent) note(now time.Time) float64 {
	r.n = r.n*math.Exp(-now.Sub(r.at).Seconds()/30) + 1
	r.at = now
	return r.n
}

// serving is how the copies of a worker ask each other which of them have the credentials of a shop, or of one of its terminals: on
// serving.<worker>, which no stream keeps, with "ask", and with "yes" from each copy that has them.
type serving struct {
	bus  *Bus
	spec Consumer

	mu    sync.Mutex
	said  map[string]time.Time // when this copy said a text last
	heard map[string]time.Time // when another copy said yes last, by what it has
	asked map[string]time.Time // when this copy asked first and heard no yes since, by what it asked for
}

const (
	// answerFor is how long the other copies are given to say yes.
	answerFor = time.Second
	// heardFor is how long a yes counts.
	heardFor = 5 * time.Second
	// sayAgain is how soon the same may be said again.
	sayAgain = answerFor / 4
)

// ServingPrefix stands before a worker's name in the subject where its copies ask each other.
const ServingPrefix = "serving."

// ServingSubject gives the subject where the copies of a worker ask each other for credentials.
func ServingSubject(worker string) string { return ServingPrefix + events.Token(worker) }

func newServing(b *Bus, c Consumer) *serving {
	return &serving{bus: b, spec: c, said: map[string]time.Time{}, heard: map[string]time.Time{}, asked: map[string]time.Time{}}
}

// listen answers, and hears answers, until ctx ends.
func (s *serving) listen(ctx context.Context) error {
	return s.bus.Subscribe(ctx, ServingSubject(s.spec.Worker), func(_ string, text []byte) { s.hear(string(text)) })
}

func (s *serving) hear(text string) {
	word, what, _ := strings.Cut(text, " ")
	f := strings.Split(what, " ")
	if len(f) != 3 || f[0] != s.spec.Name {
		return
	}
	switch word {
	case "yes":
		s.mu.Lock()
		s.heard[what] = time.Now()
		delete(s.asked, what)
		s.mu.Unlock()
	case "ask":
		if s.has(f[1], f[2]) {
			s.say("yes " + what)
		}
	}
}

// has says whether this copy has the credentials: of the shop, by its subject token, and of its terminal unless that is "-".
func (s *serving) has(shop, terminal string) bool {
	if _, err := s.spec.Serves(shop); err != nil {
		return false
	}
	return terminal == "-" || s.spec.Has != nil && s.spec.Has(shop, terminal)
}

// say publishes the text, unless it did so a moment ago.
func (s *serving) say(text string) {
	now := time.Now()
	s.mu.Lock()
	again := now.Sub(s.said[text]) < sayAgain
	if !again {
		s.said[text] = now
	}
	s.mu.Unlock()
	if !again {
		_ = s.bus.Publish(ServingSubject(s.spec.Worker), []byte(text)) // without an answer it is asked again
	}
}

func (s *serving) what(shop, terminal string) string {
	return s.spec.Name + " " + shop + " " + cmp.Or(terminal, "-")
}

func (s *serving) justHeard(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.heard[what]) < heardFor
}

// askedInVain asks for another copy that has the credentials, unless one said so just now, and gives how long ago it began to and has
// heard of none since. It does not wait for an answer.
func (s *serving) askedInVain(shop, terminal string) time.Duration {
	what := s.what(shop, terminal)
	if s.justHeard(what) {
		return 0
	}
	now := time.Now()
	s.mu.Lock()
	first, asking := s.asked[what]
	if !asking {
		first, s.asked[what] = now, now
	}
	s.mu.Unlock()
	s.say("ask " + what)
	return now.Sub(first)
}

// elsewhere says whether another copy has the credentials. It asks and waits for an answer, unless it heard one just now.
func (s *serving) elsewhere(ctx context.Context, shop, terminal string) bool {
	what := s.what(shop, terminal)
	if s.justHeard(what) {
		return true
	}
	s.say("ask " + what)
	return !pause(ctx, answerFor) || s.justHeard(what) // a copy that ends decides nothing
}

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
	maps.DeleteFunc(s.seen, func(_ uint64, x *unservedMessage) bool { return now.Sub(x.last) > unservedGone })
}

// anyOf gives a half to one and a half of a pause. If two copies gave two messages back in step, the broker could deliver each to the
// same wrong copy for ever.
func anyOf(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }
