package poller

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// benchmarked is 10,000 invoices on a number of terminals, some of which answer nothing.
type benchmarked struct {
	*scheduler
	silent  map[*watch]bool
	answers []pending // in the order of their ends
	hangs   []pending
	late    []time.Duration
}

type pending struct {
	w    *watch
	ends instant
}

const answerTime = 20 * time.Millisecond

func benchmark(terminals, silent int) *benchmarked {
	b := &benchmarked{scheduler: newScheduler(defaultConcurrency, time.Second), silent: map[*watch]bool{}}
	for i := range 10_000 {
		w := newWatch()
		b.silent[w] = i%terminals < silent
		b.add(w, fmt.Sprint(i%terminals), b.rand(b.interval))
	}
	return b
}

// step ends the calls whose time is over and begins those that are due; it returns how many began.
func (b *benchmarked) step(now instant) (polls int) {
	end := func(all []pending, r result) []pending {
		for ; len(all) > 0 && all[0].ends <= now; all = all[1:] {
			w := all[0].w
			b.endCall(w, r, now)
			if w.failures++; r == resultAnswered {
				w.answered, w.failures = w.asked, 0
			}
			b.putBack(w, now)
		}
		return all
	}
	b.answers, b.hangs = end(b.answers, resultAnswered), end(b.hangs, resultUnanswered)
	b.advance(now)
	for w := b.next(now); w != nil; w = b.next(now) {
		if b.silent[w] {
			b.hangs = append(b.hangs, pending{w, now + callTimeout})
			continue
		}
		polls++
		b.late = append(b.late, now-w.due)
		b.answers = append(b.answers, pending{w, now + answerTime})
	}
	return polls
}

func (b *benchmarked) report(t *testing.B) {
	slices.Sort(b.late)
	t.ReportMetric(float64(b.late[len(b.late)/2].Microseconds())/1000, "late-p50-ms")
	t.ReportMetric(float64(b.late[len(b.late)*99/100].Microseconds())/1000, "late-p99-ms")
}

// BenchmarkScheduler is what one poll costs the scheduler, with 10,000 invoices and a clock of its own.
func BenchmarkScheduler(t *testing.B) {
	for _, c := range []struct{ terminals, silent int }{{1, 0}, {100, 0}, {1000, 0}, {100, 50}, {1000, 500}} {
		t.Run(fmt.Sprintf("terminals=%d/silent=%d", c.terminals, c.silent), func(t *testing.B) {
			b := benchmark(c.terminals, c.silent)
			now := instant(0)
			for ; now < 10*time.Second; now += time.Millisecond { // the terminals have to be known
				b.step(now)
			}
			b.late = b.late[:0]
			t.ReportAllocs()
			t.ResetTimer()
			for polls := 0; polls < t.N; now += time.Millisecond {
				polls += b.step(now)
			}
			b.report(t)
		})
	}
}

// BenchmarkLateness is how late 10,000 polls a second begin by the machine's clock.
func BenchmarkLateness(t *testing.B) {
	b := benchmark(10, 0)
	begun := time.Now()
	for polls := 0; polls < t.N; time.Sleep(time.Millisecond) {
		polls += b.step(time.Since(begun))
	}
	b.report(t)
}
