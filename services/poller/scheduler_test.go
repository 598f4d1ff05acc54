package poller

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newWatch() *watch { return &watch{} }

func TestQueueGivesTheEarliestFirstAfterMovesAndRemovals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queue{before: func(a, b *watch) bool { return a.due < b.due }}
		in := map[*watch]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				w := newWatch()
				w.due = instant(rapid.IntRange(0, 100).Draw(t, "due"))
				heap.Push(&q, w)
				in[w] = true
			case 2:
				for w := range in {
					w.due = instant(rapid.IntRange(0, 100).Draw(t, "due"))
					heap.Fix(&q, w.place)
					break
				}
			case 3:
				for w := range in {
					heap.Remove(&q, w.place)
					delete(in, w)
					break
				}
			}
		}
		last := instant(-1)
		for n := q.Len(); n > 0; n-- {
			w := heap.Pop(&q).(*watch)
			if w.due < last || !in[w] || q.has(w) {
				t.Fatalf("due %d after %d, in the queue: %t", w.due, last, in[w])
			}
			delete(in, w)
			last = w.due
		}
		if len(in) > 0 {
			t.Fatalf("%d were lost", len(in))
		}
	})
}

func TestEveryInvoiceIsAskedAboutOnceAnInterval(t *testing.T) {
	s := simulate(1024, func(*watch) (time.Duration, result) { return 50 * time.Millisecond, resultAnswered })
	all := s.open(2000, "t")
	s.run(10 * time.Second)
	for _, w := range all {
		if n := len(s.asked[w]); n < 8 || n > 12 {
			t.Fatalf("asked %d times in 10 s", n)
		}
	}
	if gap := s.gap(all); gap > 2*time.Second {
		t.Errorf("nothing was asked about an invoice for %s", gap)
	}
}

func TestInvoiceWithTheOldestAnswerIsAskedAboutFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScheduler(1024, time.Second)
		for _, age := range rapid.SliceOfN(rapid.IntRange(1, 1000), 2, 40).Draw(t, "answered") {
			w := newWatch()
			w.answered = instant(age)
			s.add(w, string(rune('a'+age%3)), 0)
		}
		for _, terminal := range s.terminals { // they have answered
			terminal.proved = true
		}
		last := instant(0)
		s.advance(2000)
		for w := s.next(2000); w != nil; w = s.next(2000) {
			if w.answered < last {
				t.Fatalf("the answer of %d after that of %d", w.answered, last)
			}
			last = w.answered
		}
	})
}

// What comes at once, as at a start, is not due in step from then on.
func TestInvoicesThatComeAtOnceAreNotPolledInStep(t *testing.T) {
	s := simulate(1024, func(*watch) (time.Duration, result) { return 5 * time.Millisecond, resultAnswered })
	const n = 1000
	for range n {
		s.add(newWatch(), "t", s.now)
	}
	s.run(1500 * time.Millisecond)
	from := s.now
	s.run(5 * time.Second)
	buckets := map[instant]int{}
	for _, at := range s.askedAt(from, s.now) {
		buckets[at/(100*time.Millisecond)]++
	}
	for at, count := range buckets {
		if count > n/5 {
			t.Errorf("%d of %d polls within 100 ms, %s after the start", count, n, at*100*time.Millisecond)
		}
	}
}

// Concurrency follows need: 3,500 invoices at a latency of 1 s are not asked about by 128 calls at once.
func TestCallsAtOnceFollowNeed(t *testing.T) {
	s := simulate(4096, func(*watch) (time.Duration, result) { return time.Second, resultAnswered })
	all := s.open(3500, "t")
	s.run(20 * time.Second)
	if gap := s.gap(all); gap > 8*time.Second {
		t.Errorf("an invoice was without an answer for %s", gap)
	}
	for w := range s.gaps {
		s.gaps[w] = 0
	}
	s.run(20 * time.Second)
	if gap := s.gap(all); gap > 3*time.Second {
		t.Errorf("an invoice was without an answer for %s once the window had grown", gap)
	}
	if s.most["t"] < 3000 {
		t.Errorf("at most %d calls at once", s.most["t"])
	}
}

// The terminals of some shops hang. None of the others may wait for them, from the start or later, whatever their number.
func TestSilentTerminalsDelayNoOther(t *testing.T) {
	for _, silent := range []int{1, 3, 40} {
		hang := false
		s := simulate(128, func(w *watch) (time.Duration, result) {
			if hang && w.terminal.id != "healthy" {
				return callTimeout, resultUnanswered
			}
			return 50 * time.Millisecond, resultAnswered
		})
		healthy := s.open(100, "healthy")
		for i := range silent {
			s.open(2000/silent, string(rune('A'+i)))
		}
		s.run(5 * time.Second)
		hang = true
		s.run(60 * time.Second)
		if gap := s.gap(healthy); gap > 8*time.Second {
			t.Errorf("%d silent: a healthy invoice was without an answer for %s", silent, gap)
		}
		clear(s.gaps)
		s.run(20 * time.Second)
		if gap := s.gap(healthy); gap > 1500*time.Millisecond {
			t.Errorf("%d silent for long: a healthy invoice was without an answer for %s", silent, gap)
		}
		if s.doubted > 128/4 {
			t.Errorf("%d calls at once to silent terminals", s.doubted)
		}
	}
}

// A provider that refuses connections answers nothing at once: that is no reason to try faster.
func TestSilentTerminalIsAskedAtABoundedRate(t *testing.T) {
	s := simulate(1024, func(*watch) (time.Duration, result) { return time.Millisecond, resultUnanswered })
	s.open(5000, "t")
	s.run(5 * time.Second)
	before := len(s.askedAt(0, s.now))
	s.run(10 * time.Second)
	if n := len(s.askedAt(0, s.now)) - before; n > 110 {
		t.Errorf("asked %d times in 10 s", n)
	}
}

// After an outage everything is asked about soon, and not at once: not then, and not in step from then on.
func TestAfterAnOutagePollsAreSpread(t *testing.T) {
	for name, down := range map[string]time.Duration{"hanging": callTimeout, "refusing": time.Millisecond} {
		out := false
		s := simulate(1024, func(*watch) (time.Duration, result) {
			if out {
				return down, resultUnanswered
			}
			return 20 * time.Millisecond, resultAnswered
		})
		const n = 2000
		all := s.open(n, "t")
		s.run(5 * time.Second)
		out = true
		s.run(30 * time.Second)
		out = false
		back := s.now
		s.run(15 * time.Second)
		for _, w := range all {
			if w.answered < back {
				t.Fatalf("%s: 15 s after the outage an invoice has not been asked about", name)
			}
		}
		buckets, most := map[instant]int{}, 0
		for _, at := range s.askedAt(back, s.now) {
			buckets[at/(100*time.Millisecond)]++
		}
		for at, count := range buckets {
			if most = max(most, count); count > n/5 {
				t.Errorf("%s: %d of %d polls within 100 ms, %s after the outage", name, count, n, at*100*time.Millisecond-back)
			}
		}
		t.Logf("%s: at most %d of %d polls within 100 ms", name, most, n)
	}
}

// Posts to the gateway need no credentials.
func TestHintsRaiseTheRateByNoMoreThanTheirBudget(t *testing.T) {
	s := simulate(1024, func(*watch) (time.Duration, result) { return 10 * time.Millisecond, resultAnswered })
	all := s.open(1000, "t")
	s.run(5 * time.Second)
	polls := func(hint func()) int {
		from := s.now
		for range 2000 {
			hint()
			s.run(5 * time.Millisecond)
		}
		return len(s.askedAt(from, s.now))
	}
	plain := polls(func() {})
	flooded := polls(func() {
		for range 50 {
			s.pollHinted(all[rand.N(len(all))], s.now)
		}
	})
	if flooded > plain+10*hintedPerSecond+hintedBurst+plain/20 {
		t.Errorf("%d polls in 10 s without hints, %d with 10,000 hints a second", plain, flooded)
	}
	for w, times := range s.asked {
		for i := 1; i < len(times); i++ {
			if gap := times[i] - times[i-1]; gap < leastInterval {
				t.Fatalf("invoice %p was asked about twice within %s", w, gap)
			}
		}
	}
	t.Logf("polls in 10 s: %d without hints, %d under 10,000 hints a second", plain, flooded)
}

func TestPauseAfterFailuresIsAtMostThreeSeconds(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 3 * time.Second, 100: 3 * time.Second} {
		if got := pauseAfter(failures, time.Second); got != want {
			t.Errorf("after %d failures: %s; want %s", failures, got, want)
		}
	}
}
