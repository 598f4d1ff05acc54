package poller

import (
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWatch() *watch { return &watch{slot: none, place: none} }

func TestEveryoneIsDueOnceInTheirSlotAndNotBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1000, 0)
		r := newRing(start)
		due := map[*watch]time.Duration{}
		for range rapid.IntRange(1, 50).Draw(t, "invoices") {
			w := newWatch()
			due[w] = time.Duration(rapid.IntRange(0, 10_000).Draw(t, "ms")) * time.Millisecond
			r.put(w, start.Add(due[w]))
		}
		served := map[*watch]time.Duration{}
		for now := time.Duration(0); now <= 10*time.Second+slot; now += time.Duration(rapid.IntRange(1, 500).Draw(t, "step")) * time.Millisecond {
			r.advance(start.Add(now), func(w *watch) {
				if _, twice := served[w]; twice {
					t.Fatalf("due at %s served twice", due[w])
				}
				served[w] = now
			})
			for w, at := range due {
				_, done := served[w]
				if done && served[w]+slot <= at {
					t.Fatalf("due at %s, served at %s", at, served[w])
				}
				if !done && now >= at+slot {
					t.Fatalf("due at %s, not served at %s", at, now)
				}
			}
		}
	})
}

func TestOneThatWasMovedIsServedOnlyInItsNewSlot(t *testing.T) {
	start := time.Unix(1000, 0)
	r := newRing(start)
	w := newWatch()
	r.put(w, start.Add(time.Second))
	w.slot = none // taken out by a hint
	r.put(w, start.Add(2*time.Second))
	var at []time.Duration
	for now := time.Duration(0); now < 5*time.Second; now += slot {
		r.advance(start.Add(now), func(*watch) { at = append(at, now) })
	}
	if len(at) != 1 || at[0] != 2*time.Second {
		t.Errorf("served at %v", at)
	}
}

func TestAfterAStandstillEveryoneIsDueOnce(t *testing.T) {
	start := time.Unix(1000, 0)
	r := newRing(start)
	for range 100 {
		r.put(newWatch(), start.Add(rand.N(10*time.Second)))
	}
	n := 0
	r.advance(start.Add(time.Minute), func(*watch) { n++ })
	if n != 100 {
		t.Errorf("%d of 100 served", n)
	}
}

func TestMissedTurnsAreSkipped(t *testing.T) {
	due := time.Unix(1000, 0)
	for late, want := range map[time.Duration]time.Duration{
		0: time.Second, 300 * time.Millisecond: time.Second, 1500 * time.Millisecond: 2 * time.Second, 10 * time.Second: 11 * time.Second,
	} {
		if got := following(due, due.Add(late), time.Second).Sub(due); got != want {
			t.Errorf("%s late: next after %s; want %s", late, got, want)
		}
	}
}

func TestOldestAnswerComesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		for _, age := range rapid.SliceOfN(rapid.Int64Range(0, 1000), 1, 40).Draw(t, "answered") {
			w := newWatch()
			w.answered.Store(age)
			q.add(w)
			q.add(w) // a second time changes nothing
		}
		last := int64(-1)
		for n := len(q); n > 0; n-- {
			w := q.first()
			if w.answered.Load() < last {
				t.Fatalf("%d after %d", w.answered.Load(), last)
			}
			last = w.answered.Load()
		}
		if len(q) != 0 {
			t.Fatalf("%d are in the queue twice", len(q))
		}
	})
}

func TestPausesAfterFailuresAreBounded(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 3 * time.Second, 100: 3 * time.Second} {
		if got := pauseAfter(failures, time.Second); got != want {
			t.Errorf("after %d failures: %s; want %s", failures, got, want)
		}
	}
}

// A clock of seconds: whoever is asked holds its slot for as many as the call takes, and is due again one later.
type desk struct {
	queues queues
	now    time.Duration
	calls  map[*watch]time.Duration // when each ends
	takes  func(*watch) (seconds int, answered bool)
	asked  map[*watch]int
}

func (d *desk) second() {
	for w, ends := range d.calls {
		if ends > d.now {
			continue
		}
		delete(d.calls, w)
		_, answered := d.takes(w)
		if w.silent = !answered; answered {
			w.answered.Store(int64(ends))
		}
		d.queues.over(w)
		d.queues.add(w)
	}
	for len(d.calls) < d.queues.slots {
		w := d.queues.next(d.now)
		if w == nil {
			break
		}
		seconds, _ := d.takes(w)
		d.calls[w] = d.now + time.Duration(seconds)*time.Second
		d.asked[w]++
	}
	d.now += time.Second
}

func newDesk(slots int, takes func(*watch) (int, bool)) *desk {
	return &desk{queues: newQueues(slots), calls: map[*watch]time.Duration{}, takes: takes, asked: map[*watch]int{}}
}

// One shop's terminal hangs: its invoices may not keep another shop's from being asked about.
func TestSilenceToOneShopDelaysNoOther(t *testing.T) {
	silent, other := &account{}, &account{}
	d := newDesk(16, func(w *watch) (int, bool) {
		if w.account == silent {
			return 5, false
		}
		return 1, true
	})
	healthy := newWatch()
	healthy.account = other
	d.queues.add(healthy)
	for range 200 {
		w := newWatch()
		w.account = silent
		d.queues.add(w)
	}
	for range 60 {
		d.second()
		if gap := d.now - time.Duration(healthy.answered.Load()); gap > 8*time.Second {
			t.Fatalf("after %s nobody has asked about the healthy invoice for %s", d.now, gap)
		}
	}
	if d.asked[healthy] < 50 {
		t.Errorf("asked about it %d times in 60 s", d.asked[healthy])
	}
}

// A provider that answers again gets its slots back: everyone is asked about well before a reversal.
func TestAfterAnOutageEveryoneIsAskedInTime(t *testing.T) {
	down := true
	d := newDesk(128, func(*watch) (int, bool) {
		if down {
			return 5, false
		}
		return 1, true
	})
	shop := &account{}
	all := make([]*watch, 800)
	for i := range all {
		all[i] = newWatch()
		all[i].account = shop
		d.queues.add(all[i])
	}
	for range 60 {
		d.second()
	}
	down = false
	back := d.now
	for range 15 {
		d.second()
	}
	for _, w := range all {
		if time.Duration(w.answered.Load()) < back {
			t.Fatal("15 s after the end of the outage an invoice has not been asked about")
		}
	}
}
