package poller

import "time"

// simulation is a provider and a clock of milliseconds around a scheduler.
type simulation struct {
	*scheduler
	now   instant
	takes func(*watch) (time.Duration, result) // how long a call takes, and how it ends
	calls map[*watch]call
	asked map[*watch][]instant
	most  map[string]int // calls under way at once, by terminal
	gaps  map[*watch]instant
}

type call struct {
	ends instant
	how  result
}

func simulate(limit int, takes func(*watch) (time.Duration, result)) *simulation {
	return &simulation{scheduler: newScheduler(limit, time.Second), takes: takes, calls: map[*watch]call{},
		asked: map[*watch][]instant{}, most: map[string]int{}, gaps: map[*watch]instant{}}
}

func (s *simulation) open(n int, terminal string) (all []*watch) {
	for range n {
		w := newWatch()
		w.answered = s.now
		s.add(w, terminal, s.now+s.rand(s.interval))
		all = append(all, w)
	}
	return all
}

func (s *simulation) run(d time.Duration) {
	for end := s.now + d; s.now < end; s.now += time.Millisecond {
		ended := false
		for w, c := range s.calls {
			if c.ends > s.now {
				continue
			}
			ended = true
			delete(s.calls, w)
			s.endCall(w, c.how, s.now)
			if w.failures++; c.how == resultAnswered {
				s.gaps[w] = max(s.gaps[w], w.asked-w.answered)
				w.answered, w.failures = w.asked, 0
			}
			s.putBack(w, s.now)
		}
		if at, ok := s.nextChange(); !ended && (!ok || at > s.now) {
			continue // as the loop, which wakes for nothing else
		}
		s.advance(s.now)
		for w := s.next(s.now); w != nil; w = s.next(s.now) {
			d, how := s.takes(w)
			s.calls[w] = call{s.now + d, how}
			s.asked[w] = append(s.asked[w], s.now)
			s.most[w.terminal.id] = max(s.most[w.terminal.id], w.terminal.window.Busy())
		}
	}
}

// gap is the longest time without an answer about one of the invoices, up to now.
func (s *simulation) gap(all []*watch) (worst instant) {
	for _, w := range all {
		worst = max(worst, s.gaps[w], s.now-w.answered)
	}
	return worst
}

// askedAt gives the calls made within a span of time.
func (s *simulation) askedAt(from, to instant) (all []instant) {
	for _, times := range s.asked {
		for _, at := range times {
			if at >= from && at < to {
				all = append(all, at)
			}
		}
	}
	return all
}
