package poller

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"github.com/seqrflow/seqrflow/internal/window"
)

// scheduler says which invoice is asked about next. It is pure: it is told the time, makes no call and is owned by one
// goroutine.
//
// An invoice stands in the timetable until it is due, then in the queue of its terminal. Of the terminals that may be
// asked, the one with the invoice whose answer is the longest ago comes first: its payment, if there is one, is the
// nearest to a reversal.
type scheduler struct {
	limit    int // calls at once
	interval time.Duration
	hints    *rate.Limiter
	rand     func(time.Duration) time.Duration // below the one given

	busy      int // calls under way
	doubted   int // those of them that began while their terminal was doubtful
	timetable queue[*watch]
	terminals map[string]*terminal
	ready     queue[*terminal] // those that have an invoice due and may be asked
	excluded  []*terminal      // doubtful ones while those have used up their part of the calls
	large     []*terminal      // those with much under way while only the last quarter of the calls is left
	resting   []*terminal      // silent ones between two calls
	wakes     instant          // when the first of them may be asked again
}

func newScheduler(limit int, interval time.Duration) *scheduler {
	return &scheduler{
		limit: limit, interval: interval, hints: rate.NewLimiter(hintedPerSecond, hintedBurst), rand: rand.N[time.Duration],
		timetable: queue[*watch]{before: func(a, b *watch) bool { return a.due < b.due }},
		terminals: map[string]*terminal{}, ready: queue[*terminal]{before: func(a, b *terminal) bool { return a.key < b.key }},
	}
}

func (s *scheduler) terminal(id string) *terminal {
	t := s.terminals[id]
	if t == nil {
		t = &terminal{
			id: id, place: none, window: window.New(window.Limits{First: firstWindow, Least: leastWindow, Most: s.limit}),
			due: queue[*watch]{before: func(a, b *watch) bool { return a.urgency() < b.urgency() }},
		}
		s.terminals[id] = t
	}
	return t
}

// add takes an invoice in, due at the given time.
func (s *scheduler) add(w *watch, terminal string, due instant) {
	w.terminal, w.due, w.place = s.terminal(terminal), due, none
	s.timetable.push(w)
}

// remove takes out an invoice that is not being asked about.
func (s *scheduler) remove(w *watch) {
	switch {
	case s.timetable.has(w):
		s.timetable.remove(w)
	case w.terminal.due.has(w):
		w.terminal.due.remove(w)
		s.reorder(w.terminal)
	}
}

// hurry makes an invoice due as soon as a hint may: it gets no place before those that are nearer to a reversal, it is
// not asked about again within leastInterval, and beyond a number of hints a second it waits for its own turn. Whoever
// reaches the gateway can send hints.
func (s *scheduler) hurry(w *watch, now instant) (taken bool) {
	soon := now
	if w.polled {
		soon = max(now, w.asked+s.least())
	}
	switch {
	case w.busy:
		taken = w.again || s.allow(now)
		w.again = taken
	case !s.timetable.has(w) || w.due <= soon:
		taken = true // it is due, or will be by then
	case s.allow(now):
		w.due, taken = soon, true
		s.timetable.moved(w)
	}
	return taken
}

// begun makes an invoice due that was not asked about yet.
func (s *scheduler) begun(w *watch, now instant) {
	if !w.polled && s.timetable.has(w) && w.due > now {
		w.due = now
		s.timetable.moved(w)
	}
}

// least is the shortest time between two polls of one invoice.
func (s *scheduler) least() time.Duration { return min(leastInterval, s.interval) }

func (s *scheduler) allow(now instant) bool { return s.hints.AllowN(time.Unix(0, 0).Add(now), 1) }

// advance queues the invoices that are due by now.
func (s *scheduler) advance(now instant) {
	if len(s.resting) > 0 && now >= s.wakes {
		s.wakes = now + silentEvery
		s.resting = s.readmit(s.resting)
	}
	for s.timetable.len() > 0 && s.timetable.first().due <= now {
		w := s.timetable.pop()
		w.terminal.due.push(w)
		s.admit(w.terminal)
	}
}

// nextChange is when advance has something to do again.
func (s *scheduler) nextChange() (at instant, ok bool) {
	if s.timetable.len() > 0 {
		at, ok = s.timetable.first().due, true
	}
	if len(s.resting) > 0 && (!ok || s.wakes < at) {
		at, ok = s.wakes, true
	}
	return at, ok
}

// admit lets a terminal compete, unless it waits for something. Its place among the others follows its first invoice.
func (s *scheduler) admit(t *terminal) {
	if t.waits == waitsForNothing {
		s.reorder(t)
	}
}

func (s *scheduler) reorder(t *terminal) {
	switch in := s.ready.has(t); {
	case t.due.len() == 0:
		if in {
			s.ready.remove(t)
		}
	case in:
		t.rank()
		s.ready.moved(t)
	case t.waits == waitsForNothing:
		t.rank()
		s.ready.push(t)
	}
}

// readmit lets terminals compete again.
func (s *scheduler) readmit(all []*terminal) []*terminal {
	for _, t := range all {
		t.waits = waitsForNothing
		s.reorder(t)
	}
	clear(all)
	return all[:0]
}

// next begins the call about an invoice; nil when none is due that may be asked about.
func (s *scheduler) next(now instant) *watch {
	for s.busy < s.limit && s.ready.len() > 0 {
		t := s.ready.first()
		t.doubtful = t.doubt(now)
		if t.waits = s.obstacle(t, now); t.waits == waitsForNothing {
			return s.begin(t, now)
		}
		s.ready.remove(t)
		switch t.waits {
		case waitsForShare:
			s.excluded = append(s.excluded, t)
		case waitsForRoom:
			s.large = append(s.large, t)
		case waitsForRest:
			if len(s.resting) == 0 || t.rests < s.wakes {
				s.wakes = t.rests
			}
			s.resting = append(s.resting, t)
		}
	}
	return nil
}

// obstacle says what keeps a terminal from being asked now.
func (s *scheduler) obstacle(t *terminal, now instant) wait {
	switch {
	case !t.window.Free(), t.proved && now-t.heard > stalledAfter && t.window.Busy() >= leastWindow:
		return waitsForAnswer // of a terminal that has not answered lately a few calls say whether it still does
	case t.window.Silent() && now < t.rests:
		return waitsForRest
	case t.doubtful && s.doubted >= max(1, s.limit/4):
		return waitsForShare
	case len(s.terminals) > 1 && s.busy >= s.limit-s.limit/4 && t.window.Busy() >= s.limit/4:
		return waitsForRoom
	}
	return waitsForNothing
}

func (s *scheduler) begin(t *terminal, now instant) *watch {
	w := t.due.pop()
	if t.window.Busy() == 0 {
		t.begun = now
	}
	t.window.Begin()
	t.last, t.rests = now, now+silentEvery
	s.busy++
	if w.doubted = t.doubtful; w.doubted {
		s.doubted++
	}
	w.busy, w.polled, w.asked = true, true, now
	s.reorder(t)
	return w
}

// result is what the end of a call tells of the terminal.
type result int

const (
	resultNothing    result = iota // the call was broken off by us
	resultAnswered                 // the terminal answered, whatever it said
	resultUnanswered               // it did not
)

// ended takes back the call and learns from it. The invoice itself stays out until again or remove.
func (s *scheduler) ended(w *watch, r result, now instant) {
	t := w.terminal
	full := 2*t.window.Busy() > t.window.Room()
	t.window.End()
	s.busy--
	if w.doubted {
		s.doubted--
	}
	switch w.unanswered = r == resultUnanswered; r {
	case resultAnswered:
		wasSilent := t.window.Silent()
		if full || t.missed { // room that nobody needs would be filled at once by a terminal that falls silent
			t.window.Answered()
			if t.due.len() > t.window.Room() {
				t.window.Answered() // a start, with much to ask about and a slow provider, must not take long to get there
			}
		}
		t.proved, t.missed, t.heard = true, false, now
		if wasSilent {
			s.spread(t, now)
		}
	case resultUnanswered:
		t.missed = true
		t.window.Unanswered()
	}
	if t.waits == waitsForAnswer {
		t.waits = waitsForNothing
		s.reorder(t)
	}
	if w.doubted {
		s.excluded = s.readmit(s.excluded)
	}
	s.large = s.readmit(s.large)
}

// spread makes what has waited for a terminal to answer due over two intervals, not at once: its window has to grow first.
func (s *scheduler) spread(t *terminal, now instant) {
	for t.due.len() > 0 {
		w := t.due.pop()
		w.due = now + s.rand(2*s.interval)
		s.timetable.push(w)
	}
	s.reorder(t)
}

// again puts an invoice back after a call: at the interval, a little more or less so that polls do not stay in step, and
// later after calls without a status.
func (s *scheduler) again(w *watch, now instant) {
	w.busy, w.place = false, none
	pause := s.interval*19/20 + s.rand(max(s.interval/10, 1))
	if !w.spread { // all that came at once is due evenly from now on
		w.spread, pause = true, s.interval/2+s.rand(s.interval)
	}
	if w.failures > 0 {
		pause = pauseAfter(w.failures, s.interval)
		pause = pause/2 + s.rand(max(pause/2, 1))
	}
	if w.again {
		w.again, pause = false, s.least()
	}
	w.due = max(w.asked+pause, now)
	s.timetable.push(w)
}

// pauseAfter is the longest pause after so many polls in a row without a status.
func pauseAfter(failures int, interval time.Duration) time.Duration {
	return max(interval, min(time.Duration(failures)*interval, maxFailing))
}
