package poller

import (
	"container/heap"
	"time"
)

// The poller's timing. All of it is monotonic: a jump of the wall clock moves nothing.
const (
	// slot is the grain of the timetable: an invoice is asked about at most this much after it is due.
	slot = 10 * time.Millisecond
	// slots make the ring 10.24 s long, more than the longest interval.
	slots = 1024
	// reversal is after how long the provider takes back a payment whose PAID nobody fetched.
	reversal = 20 * time.Second
	// worrying is the age of the last answer at which an invoice is logged.
	worrying = 10 * time.Second
	// maxFailing bounds the pause after polls that failed: a provider that comes back is found in time.
	maxFailing = 3 * time.Second
	// callTimeout leaves room for more polls before a reversal when one is not answered.
	callTimeout = 5 * time.Second
	// earlyHint is how long a hint is remembered for an invoice that is not held yet.
	earlyHint = 2 * time.Second
	// grace is how long polls under way may take once the worker is to stop.
	grace = 3 * time.Second
)

// ring is the timetable: who is due in which slot. An invoice stands in it at most once; one that has
// been taken out or moved meanwhile is passed over when its old slot comes.
type ring struct {
	start time.Time
	next  int64 // the first slot that has not been served
	table [slots][]*watch
}

func newRing(now time.Time) *ring { return &ring{start: now} }

// put makes the invoice due at the time, or at once if that has passed.
func (r *ring) put(w *watch, at time.Time) {
	n := int64(at.Sub(r.start) / slot)
	n = min(max(n, r.next), r.next+slots-1)
	w.due, w.slot = at, n
	r.table[n%slots] = append(r.table[n%slots], w)
}

// advance gives everyone who is due by now.
func (r *ring) advance(now time.Time, take func(*watch)) {
	last := int64(now.Sub(r.start) / slot)
	if last-r.next >= slots { // the process stood still for longer than the ring: everyone is due once
		r.next = last - slots + 1
	}
	for ; r.next <= last; r.next++ {
		i := r.next % slots
		here := r.table[i]
		r.table[i] = here[:0:0]
		for _, w := range here {
			if w.slot >= 0 && w.slot <= r.next && w.slot%slots == i {
				w.slot = none
				take(w)
			}
		}
	}
}

// none is the slot of an invoice that is not in the timetable.
const none = -1

// following is when an invoice is due after it was due at due: one interval later, or, when that has
// passed, at the next of its own times. What was missed is skipped, not made up for.
func following(due, now time.Time, interval time.Duration) time.Time {
	next := due.Add(interval)
	if late := now.Sub(next); late > 0 {
		next = next.Add((late/interval + 1) * interval)
	}
	return next
}

// pauseAfter is the interval after so many polls in a row without an answer.
func pauseAfter(failures int, interval time.Duration) time.Duration {
	return max(interval, min(time.Duration(failures)*interval, maxFailing))
}

// queue holds who is due and not yet asked about: the one whose last answer is oldest comes first,
// because its payment, if there is one, is the nearest to being reversed.
type queue []*watch

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].answered.Load() < q[j].answered.Load() }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i]; q[i].place, q[j].place = i, j }
func (q *queue) Push(x any)        { w := x.(*watch); w.place = len(*q); *q = append(*q, w) }
func (q *queue) Pop() any {
	old := *q
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	w.place = none
	return w
}

func (q *queue) add(w *watch) {
	if w.place == none {
		heap.Push(q, w)
	}
}

func (q *queue) first() *watch { return heap.Pop(q).(*watch) }
