package poller

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// instant is a time since the worker was made. It is monotonic: a jump of the wall clock moves no poll.
type instant = time.Duration

// scheduler decides which invoice is asked about next. It is pure: it is told the time, makes no call and is owned by one
// goroutine.
//
// An invoice stands in the timetable until it is due, then in the queue of its terminal. Of the terminals that may be
// asked, the one with the oldest answer comes first: a payment of that invoice is the nearest to a reversal.
type scheduler struct {
	limit    int           // calls at once
	interval time.Duration // between two polls of one invoice
	hints    *rate.Limiter
	rand     func(time.Duration) time.Duration // from 0 to just below the given one

	busy      int   // calls under way
	doubted   int   // those of them that began while their terminal was doubtful
	timetable queue // the first due comes first
	terminals map[string]*terminal
	waiting   []*terminal // those that have invoices due and are not silent
	silent    []*terminal // those that have invoices due and are
	wakes     instant     // when the silent ones are looked at again
}

func newScheduler(limit int, interval time.Duration) *scheduler {
	return &scheduler{
		limit: limit, interval: interval, hints: rate.NewLimiter(hintedPerSecond, hintedBurst), rand: rand.N[time.Duration],
		timetable: queue{before: func(a, b *watch) bool { return a.due < b.due }}, terminals: map[string]*terminal{},
	}
}

// add takes in an invoice that is recorded. Its first poll is due at the given time.
func (s *scheduler) add(w *watch, terminal string, due instant) {
	t := s.terminals[terminal]
	if t == nil {
		t = newTerminal(terminal, s.limit)
		s.terminals[terminal] = t
	}
	w.terminal, w.due = t, due
	heap.Push(&s.timetable, w)
}

// addUnrecorded takes in an invoice that is not recorded yet. It is to be loaded again at the given time.
func (s *scheduler) addUnrecorded(w *watch, due instant) {
	w.due = due
	heap.Push(&s.timetable, w)
}

// remove takes out an invoice that is not being asked about.
func (s *scheduler) remove(w *watch) {
	switch {
	case s.timetable.has(w):
		heap.Remove(&s.timetable, w.place)
	case w.isDue():
		s.takeDue(w)
	}
}

// moveUp makes an invoice due at the given time, unless it is due earlier; false means that it is not in the timetable.
func (s *scheduler) moveUp(w *watch, at instant) bool {
	if !s.timetable.has(w) {
		return false
	}
	if at < w.due {
		w.due = at
		heap.Fix(&s.timetable, w.place)
	}
	return true
}

// pollHinted makes an invoice due as soon as a hint may. The invoice gets no place before those that are nearer to a
// reversal, it is not asked about again within leastInterval, and beyond a number of hints a second it waits for its own
// turn: everybody who reaches the gateway can send hints.
func (s *scheduler) pollHinted(w *watch, now instant) (taken bool) {
	soon := now
	if w.polled {
		soon = max(now, w.asked+s.leastInterval())
	}
	switch {
	case w.busy:
		taken = w.again || s.allowHint(now)
		w.again = taken
	case !s.timetable.has(w) || w.due <= soon:
		taken = true // it is due, or will be by then
	case s.allowHint(now):
		taken = true
		s.moveUp(w, soon)
	}
	return taken
}

func (s *scheduler) leastInterval() time.Duration { return min(leastInterval, s.interval) }

func (s *scheduler) allowHint(now instant) bool { return s.hints.AllowN(time.Unix(0, 0).Add(now), 1) }

// advance queues the invoices that are due by now, and gives those that are to be loaded again.
func (s *scheduler) advance(now instant) (toLoad []*watch) {
	for s.timetable.Len() > 0 && s.timetable.first().due <= now {
		w := heap.Pop(&s.timetable).(*watch)
		if w.terminal == nil {
			toLoad = append(toLoad, w)
			continue
		}
		heap.Push(&w.terminal.due, w)
		if w.terminal.due.Len() == 1 {
			list := s.listOf(w.terminal)
			*list = append(*list, w.terminal)
		}
	}
	return toLoad
}

// takeDue takes an invoice out of its terminal's queue.
func (s *scheduler) takeDue(w *watch) {
	heap.Remove(&w.terminal.due, w.place)
	if w.terminal.due.Len() == 0 {
		w.terminal.removeFrom(s.listOf(w.terminal))
	}
}

// listOf is the list that a terminal with invoices due belongs to.
func (s *scheduler) listOf(t *terminal) *[]*terminal {
	if t.window.Silent() {
		return &s.silent
	}
	return &s.waiting
}

// nextChange is when advance or next may have something to do again without any other news.
func (s *scheduler) nextChange() (at instant, ok bool) {
	if s.timetable.Len() > 0 {
		at, ok = s.timetable.first().due, true
	}
	if len(s.silent) > 0 && s.busy < s.limit && (!ok || s.wakes < at) {
		at, ok = s.wakes, true
	}
	return at, ok
}

// next begins the call about an invoice; it is nil when no invoice is due that may be asked about.
func (s *scheduler) next(now instant) *watch {
	if s.busy >= s.limit {
		return nil
	}
	t := s.first(s.waiting, now)
	if now >= s.wakes {
		switch silent := s.first(s.silent, now); {
		case silent == nil: // however many there are, they cost the others next to nothing
			s.wakes = now + silentLook
		case t == nil || silent.rank < t.rank:
			t = silent
		}
	}
	if t == nil {
		return nil
	}
	return s.beginCall(t, now)
}

// first of the terminals that may be asked.
func (s *scheduler) first(all []*terminal, now instant) (first *terminal) {
	for _, t := range all {
		t.assess(now)
		if s.mayAsk(t, now) && (first == nil || t.rank < first.rank) {
			first = t
		}
	}
	return first
}

// mayAsk says whether a call to a terminal may begin now.
func (s *scheduler) mayAsk(t *terminal, now instant) bool {
	busy := t.window.Busy()
	switch {
	case !t.window.Free():
		return false
	case t.proved && now-t.heard > stalledAfter && busy >= leastWindow: // a few calls tell whether it answers again
		return false
	case t.window.Silent() && now < t.last+silentEvery:
		return false
	case t.doubtful && s.doubted >= max(1, s.limit/4): // all doubtful terminals share a quarter of the calls
		return false
	case len(s.terminals) > 1 && s.busy >= s.limit-s.limit/4 && busy >= s.limit/4: // the last quarter is for those with few calls
		return false
	}
	return true
}

func (s *scheduler) beginCall(t *terminal, now instant) *watch {
	w := t.due.first()
	w.doubted = t.doubtful
	s.takeDue(w)
	if t.window.Busy() == 0 {
		t.begun = now
	}
	t.window.Begin()
	t.last = now
	s.busy++
	if w.doubted {
		s.doubted++
	}
	w.busy, w.polled, w.asked = true, true, now
	return w
}

// result is what the end of a call tells of the terminal.
type result int

const (
	resultNothing    result = iota // the poller broke the call off
	resultAnswered                 // the terminal answered, whatever it said
	resultUnanswered               // it did not
	resultBusy                     // it answered that it cannot work now; all else is as if it had not answered
)

// endCall ends a call and learns from it. The invoice itself stays out until putBack or remove.
func (s *scheduler) endCall(w *watch, r result, now instant) {
	t := w.terminal
	before := s.listOf(t)
	t.endCall(r, now)
	after := s.listOf(t)
	if after != before && t.due.Len() > 0 {
		t.removeFrom(before)
		*after = append(*after, t)
	}
	s.busy--
	if w.doubted {
		s.doubted--
	}
	w.unanswered, w.saidBusy = r == resultUnanswered || r == resultBusy, r == resultBusy
	if after != before && r == resultAnswered {
		s.spread(t, now)
	}
}

// spread makes what has waited for a terminal to answer due over two intervals, not at once: its window has to grow first.
func (s *scheduler) spread(t *terminal, now instant) {
	for t.due.Len() > 0 {
		w := t.due.first()
		s.takeDue(w)
		w.due = now + s.rand(2*s.interval)
		heap.Push(&s.timetable, w)
	}
}

// putBack makes an invoice due again after a poll: at the interval, a little more or less so that polls do not stay in
// step, and later after calls without a status.
func (s *scheduler) putBack(w *watch, now instant) {
	w.busy = false
	pause := s.interval*19/20 + s.rand(max(s.interval/10, 1))
	if !w.spread { // all that came at once is due evenly from now on
		w.spread, pause = true, s.interval/2+s.rand(s.interval)
	}
	if w.failures > 0 {
		pause = pauseAfter(w.failures, s.interval)
		pause = pause/2 + s.rand(max(pause/2, 1))
	}
	if w.again {
		w.again, pause = false, s.leastInterval()
	}
	w.due = max(w.asked+pause, now)
	heap.Push(&s.timetable, w)
}

// pauseAfter is the longest pause after so many polls in a row without a status.
func pauseAfter(failures int, interval time.Duration) time.Duration {
	return max(interval, min(time.Duration(failures)*interval, maxFailing))
}
