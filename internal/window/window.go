// Package window bounds how many calls to one terminal of the provider may be under way at once.
//
// The bound grows by one with each answer and halves with each call that gets none, so a terminal that answers is used
// to the full within a few round trips, and one that is silent takes hardly anything from the others.
package window

// Limits are the bounds of a window, in calls at once.
type Limits struct {
	First int // before the terminal has answered
	Least int // when it gives no answers; at least 1
	Most  int // when it answers
}

// silentAfter is how many calls in a row without an answer make a terminal silent.
const silentAfter = 3

// Window is the bound of one terminal. It is not safe for concurrent use.
type Window struct {
	limits     Limits
	room       int
	busy       int
	unanswered int // calls in a row
}

// New gives a window with no call under way.
func New(l Limits) Window { return Window{limits: l, room: min(max(l.First, l.Least, 1), l.Most)} }

// Free says whether another call may begin.
func (w *Window) Free() bool { return w.busy < w.room }

// Busy is how many calls are under way.
func (w *Window) Busy() int { return w.busy }

// Room is how many calls may be under way.
func (w *Window) Room() int { return w.room }

// Silent says whether the last three calls got no answer.
func (w *Window) Silent() bool { return w.unanswered >= silentAfter }

// Begin counts a call that begins.
func (w *Window) Begin() { w.busy++ }

// End counts a call that ends. Answered or Unanswered says how.
func (w *Window) End() { w.busy-- }

// Probed learns that a silent terminal has answered a probe: calls may begin again, and the first that gets no answer makes
// it silent at once.
func (w *Window) Probed() { w.unanswered = silentAfter - 1 }

// Answered learns that the terminal answered.
func (w *Window) Answered() {
	w.unanswered = 0
	w.room = min(w.room+1, w.limits.Most)
}

// Unanswered learns that the terminal did not answer.
func (w *Window) Unanswered() {
	w.unanswered++
	w.room = max(w.room/2, w.limits.Least, 1)
}
