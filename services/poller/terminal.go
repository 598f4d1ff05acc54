package poller

import (
	"slices"

	"github.com/seqrflow/seqrflow/internal/window"
)

// terminal is what the scheduler knows of one terminal at the provider.
type terminal struct {
	id     string
	window window.Window // of its calls under way
	due    queue         // its invoices that are due; the oldest answer comes first
	proved bool          // it has answered since the worker was made
	missed bool          // the last call got no answer
	begun  instant       // when it last had no call under way before one began
	heard  instant       // the last answer
	last   instant       // the last call's beginning

	doubtful bool    // it may not answer, as it was when it was last considered
	rank     instant // its order among the terminals, then
}

func newTerminal(id string, limit int) *terminal {
	return &terminal{
		id: id, window: window.New(window.Limits{First: firstWindow, Least: leastWindow, Most: limit}),
		due: queue{before: func(a, b *watch) bool { return a.urgency() < b.urgency() }},
	}
}

// assess sets doubtful and rank. The rank is that of the first invoice due; doubtful terminals have mostly waited the longest,
// so they take turns instead.
func (t *terminal) assess(now instant) {
	stalled := t.window.Busy() > 0 && now-max(t.begun, t.heard) > stalledAfter
	t.doubtful = !t.proved || stalled || t.missed || t.window.Silent()
	if t.rank = t.due.first().urgency(); t.doubtful {
		t.rank = max(t.rank, t.last)
	}
}

func (t *terminal) removeFrom(list *[]*terminal) {
	*list = slices.DeleteFunc(*list, func(other *terminal) bool { return other == t })
}

// endCall learns from the end of a call.
func (t *terminal) endCall(r result, now instant) {
	full := 2*t.window.Busy() > t.window.Room()
	t.window.End()
	switch r {
	case resultAnswered:
		if full || t.missed { // room that is not needed would be filled at once by a terminal that falls silent
			t.window.Answered()
			if t.due.Len() > t.window.Room() {
				t.window.Answered() // a start, with much to ask about and a slow provider, must not take long to get there
			}
		}
		t.proved, t.missed, t.heard = true, false, now
	case resultUnanswered, resultBusy:
		t.missed = true
		t.window.Unanswered()
	}
}

// queue is a heap of invoices for container/heap. An invoice is in one queue at most, and knows its place there.
type queue struct {
	items  []*watch
	before func(a, b *watch) bool
}

func (q *queue) first() *watch { return q.items[0] }

func (q *queue) has(w *watch) bool { return w.place < len(q.items) && q.items[w.place] == w }

// Len implements heap.Interface.
func (q *queue) Len() int { return len(q.items) }

// Less implements heap.Interface.
func (q *queue) Less(i, j int) bool { return q.before(q.items[i], q.items[j]) }

// Swap implements heap.Interface.
func (q *queue) Swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].place, q.items[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(w any) {
	w.(*watch).place = len(q.items)
	q.items = append(q.items, w.(*watch))
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(q.items) - 1
	w := q.items[last]
	q.items[last], q.items = nil, q.items[:last]
	return w
}
