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
	// recordTimeout bounds what an answer may cost while the broker fails: the next poll gets the same answer.
	recordTimeout = 2 * time.Second
	// callTimeout leaves room for more polls before a reversal when one is not answered.
	callTimeout = 5 * time.Second
	// silentAccount is after how many calls in a row without any answer a shop's invoices are suspects, but for
	// those that were answered about within trusted.
	silentAccount = 3
	trusted       = 3 * time.Second
	// maxNameless is how often a PAID that does not name the payment is asked about again.
	maxNameless = 30
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

// account is what is known of a shop's credentials: a provider may be silent to one terminal only.
type account struct{ silent int }

// doubted is an invoice of a shop that the provider does not answer at present.
func (w *watch) doubted(now time.Duration) bool {
	return w.account.silent >= silentAccount && now-time.Duration(w.answered.Load()) > trusted
}

// line is a queue for those whom the provider may not answer. It has a part of the slots, so that who waits in
// vain keeps nobody else from an answer. Who has been due for longest comes first.
type line struct {
	due  []*watch
	busy int
	room int
}

func (l *line) add(w *watch) {
	w.place = queued
	l.due = append(l.due, w)
}

func (l *line) first() *watch {
	w := l.due[0]
	l.due[0] = nil
	l.due = l.due[1:]
	w.place, w.line = none, l
	l.busy++
	return w
}

// may says that somebody waits and that there is room up to the limit.
func (l *line) may(limit int) bool { return len(l.due) > 0 && l.busy < limit }

// queued is the place of an invoice that waits in a line.
const queued = 0

// queues says who is asked next: the nearest to a reversal of those whom the provider answers; of a silent shop's
// invoices as many as leave the others a quarter of the slots; and of those it did not answer the last time a part
// that is a quarter at least, grows with each answer and shrinks with each silence. All of that part but an eighth is
// theirs even when the others are more than can be asked for.
type queues struct {
	slots   int
	trusted queue
	doubted line
	silent  line
}

func newQueues(slots int) queues {
	most := max(1, slots*3/4)
	return queues{slots: slots, doubted: line{room: most}, silent: line{room: max(1, slots/4)}}
}

func (q *queues) add(w *watch) {
	switch {
	case w.place != none:
	case w.silent:
		q.silent.add(w)
	default:
		q.trusted.add(w)
	}
}

// next is nil when nobody waits or there is no room for those who do.
func (q *queues) next(now time.Duration) *watch {
	if q.silent.may(max(1, q.silent.room-q.slots/8)) { // theirs before all others
		return q.silent.first()
	}
	for len(q.trusted) > 0 {
		w := q.trusted.first()
		if !w.doubted(now) {
			return w
		}
		q.doubted.add(w)
	}
	switch {
	case q.doubted.may(q.doubted.room):
		return q.doubted.first()
	case q.silent.may(q.silent.room):
		return q.silent.first()
	}
	return nil
}

// over takes back the slot, and learns from how the poll ended.
func (q *queues) over(w *watch) {
	if w.silent {
		w.account.silent++
	} else {
		w.account.silent = 0
	}
	if w.line == nil {
		return
	}
	w.line.busy--
	if w.line == &q.silent {
		if w.silent {
			q.silent.room = max(q.silent.room/2, q.slots/4, 1)
		} else {
			q.silent.room = min(q.silent.room+1, q.doubted.room)
		}
	}
	w.line = nil
}
