package bus

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever comes in whatever order: one delivery of a key at a time, no more of a terminal than its window, nothing lost.
func TestScheduleKeepsItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newSchedule(4)
		now := time.Unix(0, 0)
		working, keys, added, over := map[*job]bool{}, map[string]bool{}, 0, 0
		start := func(tm *terminal) {
			for j := s.next(tm); j != nil; j = s.next(tm) {
				if keys[j.key] {
					t.Fatalf("two deliveries of %s at once", j.key)
				}
				if keys[j.key], working[j] = true, true; tm.window.Busy() > tm.window.Room() {
					t.Fatalf("%d at once with room for %d", tm.window.Busy(), tm.window.Room())
				}
			}
		}
		finish := func(j *job, a answer) {
			delete(working, j)
			delete(keys, j.key)
			s.ended(j, a, now)
			s.release(j)
			over++
			start(j.terminal)
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(working) > 0 && rapid.Bool().Draw(t, "finish") {
				for j := range working {
					finish(j, answer(rapid.IntRange(0, 2).Draw(t, "answer")))
					break
				}
				continue
			}
			shop := fmt.Sprint("shop", rapid.IntRange(0, 3).Draw(t, "shop"))
			j := &job{shop: shop, key: fmt.Sprint(shop, rapid.IntRange(0, 3).Draw(t, "order"))}
			j.seq = uint64(rapid.IntRange(1, 1000).Draw(t, "seq"))
			if s.add(j, fmt.Sprint("terminal", rapid.IntRange(0, 1).Draw(t, "terminal"))) == nil {
				added++
			}
			start(j.terminal)
		}
		for over < added {
			if len(working) == 0 {
				for _, tm := range s.terminals { // every terminal that went silent answers its probe
					if tm.window.Silent() {
						tm.probed(true, now)
					}
					start(tm)
				}
			}
			if len(working) == 0 {
				t.Fatalf("%d of %d handled, and nothing at work", over, added)
			}
			for j := range working {
				finish(j, answered)
				break
			}
		}
	})
}

func TestShopsOfOneTerminalTakeTurns(t *testing.T) {
	t.Parallel()
	s := newSchedule(1)
	for i := range 100 {
		s.add(&job{shop: "large", key: fmt.Sprint("large", i)}, "t")
	}
	s.add(&job{shop: "small", key: "small"}, "t")
	tm := s.terminals["t"]
	for n := 1; ; n++ {
		j := s.next(tm)
		s.ended(j, answered, time.Time{})
		s.release(j)
		if j.shop == "small" {
			if n > 2 {
				t.Fatalf("the other shop's delivery was handled as number %d", n)
			}
			return
		}
	}
}

func TestSilentTerminalIsProbedAndNotTried(t *testing.T) {
	t.Parallel()
	s := newSchedule(32)
	now := time.Unix(0, 0)
	for i := range 50 {
		s.add(&job{shop: "acme", key: fmt.Sprint(i)}, "t")
	}
	tm, tried := s.terminals["t"], 0
	for {
		var jobs []*job
		for j := s.next(tm); j != nil; j = s.next(tm) {
			jobs = append(jobs, j)
		}
		if len(jobs) == 0 {
			break
		}
		tried += len(jobs)
		for _, j := range jobs {
			s.ended(j, unanswered, now)
			s.release(j)
		}
	}
	if tried > firstRoom {
		t.Errorf("%d deliveries were tried before the terminal counted as silent, expected at most %d", tried, firstRoom)
	}
	var pauses []time.Duration
	for range 6 {
		begin, at := tm.probe(now)
		if begin {
			t.Fatal("a probe before its pause is over")
		}
		pauses = append(pauses, at.Sub(now))
		now = at
		if begin, _ = tm.probe(now); !begin {
			t.Fatal("no probe when its pause is over")
		}
		if again, _ := tm.probe(now); again {
			t.Fatal("two probes at once")
		}
		tm.probed(false, now)
	}
	if fmt.Sprint(pauses) != "[1s 2s 4s 8s 15s 15s]" {
		t.Errorf("pauses between probes: %v", pauses)
	}
	tm.probeAt = now
	tm.probe(now)
	tm.probed(true, now)
	j := s.next(tm)
	if j == nil || s.next(tm) != nil {
		t.Fatal("after a probe's answer: expected one delivery to be tried")
	}
	s.ended(j, unanswered, now)
	if s.release(j); s.next(tm) != nil {
		t.Fatal("a terminal that answers probes and no delivery is tried on and on")
	}
}

// Of a shop with too much queued the newest are kept, and the newest and the oldest are handled in turn.
func TestNewestOfABacklogIsNotLast(t *testing.T) {
	t.Parallel()
	s := newSchedule(1)
	back := 0
	for i := range 2 * mostQueued {
		if s.add(&job{shop: "acme", key: fmt.Sprint(i), seq: uint64(i + 1)}, "t") != nil {
			back++
		}
	}
	if back != mostQueued {
		t.Fatalf("%d of %d given back, expected %d", back, 2*mostQueued, mostQueued)
	}
	tm, got := s.terminals["t"], []uint64{}
	for range 4 {
		j := s.next(tm)
		got = append(got, j.seq)
		s.ended(j, answered, time.Time{})
		s.release(j)
	}
	if want := fmt.Sprint([]int{2 * mostQueued, mostQueued + 1, 2*mostQueued - 1, mostQueued + 2}); fmt.Sprint(got) != want {
		t.Errorf("handled %v, expected %s", got, want)
	}
}
