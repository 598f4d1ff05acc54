package bus

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// servedElsewhere is how long a copy that does not serve a message's shop gives it back for another that does.
const servedElsewhere = 15 * time.Second

// notServed leaves the message to a copy that serves its shop. When there seems to be none although it is not set up that
// way, it is parked.
func (w *work) notServed(l *Lease, shop string, why error) {
	if errors.Is(why, ErrOtherCopy) {
		pause, _ := w.strangePause(l.seq)
		l.GiveBack(pause)
		return
	}
	w.leave(l, shop, "", why)
}

// leave gives a message back for a copy that has the credentials that this one lacks: of the shop, or of one terminal of it. It
// is parked when it was seen here for long enough and no copy says to have them.
func (w *work) leave(l *Lease, shop, terminal string, why error) {
	pause, seen := w.strangePause(l.seq)
	if seen < servedElsewhere || l.replay || w.served.elsewhere(w.inHand, shop, terminal) {
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
	w.strange.Forget(l.seq)
}

// strangePause is how long the message is left to other copies, and how long ago this one first saw it.
func (w *work) strangePause(seq uint64) (pause, seen time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.strange.Leave(seq, time.Now())
}

// overflow is how long what is too much to keep leased stays at the broker: some pauses of the longest kind when its
// terminal is silent, a part of one else, and longer when there is so much that comes and goes that the broker would be busy
// with it. The broker looks through all that waits whenever a pause ends, so pauses of many messages end together, in groups.
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

// comeBackPerSecond is about how many messages a second may come again because they were too many.
const comeBackPerSecond = 4000

// recent counts what happened lately: each counts less and less within half a minute.
type recent struct {
	n  float64
	at time.Time
}

func (r *recent) note(now time.Time) float64 {
	r.n = r.n*math.Exp(-now.Sub(r.at).Seconds()/30) + 1
	r.at = now
	return r.n
}

// token is the n-th token of a subject, from 0; "" when there are fewer.
func token(subject string, n int) string {
	for range n {
		i := strings.IndexByte(subject, '.')
		if i < 0 {
			return ""
		}
		subject = subject[i+1:]
	}
	t, _, _ := strings.Cut(subject, ".")
	return t
}

// keyOf is a subject without its event: what names the order or invoice.
func keyOf(subject string) string {
	for i := len(subject) - 1; i > 0; i-- {
		if subject[i] == '.' {
			return subject[:i]
		}
	}
	return subject
}
