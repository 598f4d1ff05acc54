package sandbox

import (
	"cmp"
	"container/heap"
	"time"
)

// clock is the only reader of the wall clock. A manual one moves when told to.
type clock struct {
	manual bool
	epoch  time.Time // with its monotonic reading, so that a system clock set back does not move this one back
	at     time.Time // what a manual clock shows
	alarms alarms
	added  uint64 // alarms so far
}

func newClock(manual bool, start time.Time) clock {
	epoch := time.Now()
	return clock{manual: manual, epoch: epoch, at: cmp.Or(start, epoch).Round(0).UTC()}
}

func (c *clock) now() time.Time {
	if c.manual {
		return c.at
	}
	return c.epoch.Round(0).Add(time.Since(c.epoch)).UTC()
}

// resume puts a manual clock where it stood when the effect was written, whatever time has passed since, but not
// before start.
func (c *clock) resume(written, start time.Time) {
	if c.manual && !written.Before(start) {
		c.at = written
	}
}

// alarm is something that happens at an instant: an invoice changes, or a delayed call goes on.
type alarm struct {
	at      time.Time
	order   uint64
	invoice *invoice
	call    *delayedCall
}

// delayedCall is a call that a fault delays until its instant.
type delayedCall struct {
	due  chan struct{} // closed when the instant has come
	over chan struct{} // closed when the call has had its effect and OnInvoice has returned, or the call is given up
}

// add sets an alarm, and reports whether it is the earliest.
func (c *clock) add(a alarm) (first bool) {
	c.added++
	a.order = c.added
	heap.Push(&c.alarms, a)
	return c.alarms[0].order == a.order
}

// due takes the earliest alarm that is not after the instant; a call's only if calls is true.
func (c *clock) due(at time.Time, calls bool) (alarm, bool) {
	if len(c.alarms) == 0 || c.alarms[0].at.After(at) || c.alarms[0].call != nil && !calls {
		return alarm{}, false
	}
	return heap.Pop(&c.alarms).(alarm), true
}

// alarms is a heap, the earliest first. At the same instant invoices come before calls, so that a call finds them as that
// instant leaves them; else the order of adding counts.
type alarms []alarm

func (a alarms) Len() int      { return len(a) }
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a alarms) Less(i, j int) bool {
	switch {
	case !a[i].at.Equal(a[j].at):
		return a[i].at.Before(a[j].at)
	case (a[i].call == nil) != (a[j].call == nil):
		return a[i].call == nil
	}
	return a[i].order < a[j].order
}
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}
