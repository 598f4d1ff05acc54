package bus

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// servedElsewhere is how long a copy that lacks credentials for a message gives it back for another copy.
const servedElsewhere = 15 * time.Second

// notServed gives a message back whose shop this copy does not serve.
func (w *work) notServed(l *Lease, shop string, why error) {
	if errors.Is(why, ErrOtherCopy) {
		pause, _ := w.unservedPause(l.seq)
		l.GiveBack(pause)
		return
	}
	w.leave(l, shop, "", why)
}

// leave gives a message back for a copy that has the credentials that this one lacks: of the shop, or of one terminal of it. The
// message is parked when this copy saw it first servedElsewhere ago, and no copy answers that it has them.
func (w *work) leave(l *Lease, shop, terminal string, why error) {
	pause, seen := w.unservedPause(l.seq)
	if seen < servedElsewhere || l.replay || w.serving.elsewhere(w.inHand, shop, terminal) {
		l.GiveBack(pause)
		return
	}
	if err := w.fetch(l); err != nil {
		l.GiveBack(w.spec.Backoff.Most)
		return
	}
	w.settle(l, Park(fmt.Errorf("%w of any %s that has seen the message", why, w.spec.Worker)), "")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unserved.forget(l.seq)
}

// unservedPause gives how long the message is left to other copies, and how long ago this copy saw it first.
func (w *work) unservedPause(seq uint64) (pause, seen time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unserved.Leave(seq, time.Now())
}

// overflow gives how long a message that is too much to keep leased stays at the broker: the longest pause of the backoff or more
// when its terminal is silent, else a part of it, and longer when so many messages come and go that the broker would be busy with
// them. The broker looks through all that waits whenever a pause ends, so the pauses of many messages end together, in groups.
func (w *work) overflow(t *terminal) time.Duration {
	group := max(w.spec.Backoff.Most/30, time.Millisecond)
	least, groups := group, 4
	if t.window.Silent() {
		least, groups = 30*group, 30
	}
	if wanted := w.comeBack.note(time.Now()) / comeBackPerSecond * float64(time.Second); wanted > float64(time.Duration(groups)*group) {
		groups = int(wanted / float64(group))
	}
	now := time.Now()
	end := now.Add(least + time.Duration(rand.IntN(groups))*group)
	return end.Truncate(group).Add(group).Sub(now)
}

// comeBackPerSecond is about how many messages a second may come back that were too much to keep leased.
const comeBackPerSecond = 4000

// recent counts events of the last half minute: the older an event, the less it counts.
type recent struct {
	n  float64
	at time.Time
}

func (r *recent) note(now time.Time) float64 {
	r.n = r.n*math.Exp(-now.Sub(r.at).Seconds()/30) + 1
	r.at = now
	return r.n
}
