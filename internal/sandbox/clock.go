package sandbox

import (
	"container/heap"
	"sync"
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

// resume puts a manual clock where it stood when the effect was written, whatever time has passed since, but not
// before start.
func (c *clock) resume(written, start time.Time) {
	if c.manual && !written.Before(start) {
		c.at = written
	}
}

// alarm is something that happens at an instant: an invoice is looked at again, or a waiting call goes on.
type alarm struct {
	at      time.Time
	order   uint64
	invoice *invoice
	call    *delayed
}

// delayed is a call that a fault holds up until its instant. The methods of a nil one do nothing.
type delayed struct {
	goOn       chan struct{} // closed when the instant has come
	made, told chan struct{} // closed when the call has had its effect, and when whoever follows it knows
	onceMade   sync.Once
	onceTold   sync.Once
}

func newDelayed() *delayed {
	return &delayed{goOn: make(chan struct{}), made: make(chan struct{}), told: make(chan struct{})}
}

func (d *delayed) hasMade() {
	if d != nil {
		d.onceMade.Do(func() { close(d.made) })
	}
}

// over is how the call ends, whatever has become of it.
func (d *delayed) over() {
	if d != nil {
		d.hasMade()
		d.onceTold.Do(func() { close(d.told) })
	}
}

func (c *clock) arm(a alarm) {
	c.set++
	a.order = c.set
	heap.Push(&c.alarms, a)
}

// due takes the earliest alarm that is not after the instant; a call's only if calls are wanted.
func (c *clock) due(at time.Time, calls bool) (alarm, bool) {
	if len(c.alarms) == 0 || c.alarms[0].at.After(at) || c.alarms[0].call != nil && !calls {
		return alarm{}, false
	}
	return heap.Pop(&c.alarms).(alarm), true
}

// alarms is a heap, earliest first. Where the instants are equal, invoices come before calls, which find the world as
// that instant leaves it, and else the order of setting counts.
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
