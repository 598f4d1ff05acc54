package sandbox

import (
	"container/heap"
	"time"
)

// clock is the only reader of the wall clock. A manual one moves when told to.
type clock struct {
	manual bool
	epoch  time.Time // with its monotonic reading, so that a clock set back never moves ours back
	at     time.Time // what a manual clock shows
	alarms alarms
	set    uint64
}

func newClock(manual bool, start time.Time) clock {
	c := clock{manual: manual, epoch: time.Now(), at: start.Round(0).UTC()}
	if start.IsZero() {
		c.at = c.epoch.Round(0).UTC()
	}
	return c
}

func (c *clock) now() time.Time {
	if c.manual {
		return c.at
	}
	return c.epoch.Round(0).Add(time.Since(c.epoch)).UTC()
}

// alarm is something that happens at an instant: an invoice is looked at again, or a waiting call goes on.
type alarm struct {
	at      time.Time
	order   uint64
	invoice *invoice
	wake    chan<- struct{}
}

func (c *clock) arm(a alarm) {
	c.set++
	a.order = c.set
	heap.Push(&c.alarms, a)
}

// due takes the earliest alarm that is not after the instant.
func (c *clock) due(at time.Time) (alarm, bool) {
	if len(c.alarms) == 0 || c.alarms[0].at.After(at) {
		return alarm{}, false
	}
	return heap.Pop(&c.alarms).(alarm), true
}

// alarms is a heap, earliest first, and in the order of setting where the instants are equal.
type alarms []alarm

func (a alarms) Len() int      { return len(a) }
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a alarms) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].order < a[j].order
	}
	return a[i].at.Before(a[j].at)
}
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}
