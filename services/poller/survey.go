package poller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// survey looks at everything that is held, at each full second of the broker's clock: what is nearest to a reversal, whose
// time is over, which leases are lost, what to give back, and whether the limit of calls suffices.
func (l *loop) survey() {
	now := l.now()
	for _, hints := range []map[events.Key]instant{l.earlyHints, l.earlyIssued} {
		maps.DeleteFunc(hints, func(_ events.Key, at instant) bool { return now-at > earlyHintFor })
	}
	wall, clockIsRight := l.p.Bus.Now(), sync.OnceValue(l.p.clockIsRight)
	oldest, worrying := instant(0), 0
	for _, w := range l.invoices {
		switch {
		case w.lease.Lost() && l.dropLostLease(w, now):
		case w.terminal == nil:
			if w.unreadSince > 0 { // it may be open, and is not polled
				oldest = max(oldest, now-w.unreadSince)
			}
		default:
			age := now - w.answered
			oldest = max(oldest, age)
			if age >= worryingAge && w.polled {
				worrying++
			}
			if w.isDue() {
				l.worstLate = max(l.worstLate, now-w.due)
			}
			if !w.busy && !w.overdue && !w.dueAt.IsZero() && !wall.Before(w.dueAt) && now >= w.nextTry {
				l.recordOverdue(w, clockIsRight, now)
			}
		}
	}
	if worrying > 0 && l.p.sometimes.OK("worried") {
		l.p.Log.Warn().Str("worker", Name).Int("invoices", worrying).Dur("oldest", oldest).
			Msg("no answer about invoices for long; payments made meanwhile are near to being reversed")
	}
	l.giveBackExcess(now)
	l.warnOfLimit()
	l.setMetrics(oldest)
	l.announce()
	l.worstLate = 0
}

// announce has the other copies, and every process that shows what is unwatched, told what this one holds. It does not
// wait until that is sent.
func (l *loop) announce() {
	a := watching.Announcement{ID: l.p.id, Serves: serving(l.p.Only), Up: l.now().Seconds(), Held: l.held()}
	select {
	case <-l.stopping:
		a.Leaving = true
	default:
	}
	select {
	case <-l.tell: // it was not sent
	default:
	}
	l.tell <- a
}

// sendAnnouncements publishes until the loop has ended. It waits for the broker where the loop must not.
func (l *loop) sendAnnouncements() {
	for a := range l.tell {
		l.connected.Store(false)
		if err := watching.Announce(l.p.Bus, a); err != nil && l.p.sometimes.OK("announce") {
			l.p.Log.Debug().Err(err).Str("worker", Name).Msg("announcing")
		}
		l.connected.Store(l.p.Bus.Conn().IsConnected())
	}
}

// setMetrics sets the metrics. An invoice that no copy watches is as near to a reversal as one whose polls are not answered.
func (l *loop) setMetrics(oldest instant) {
	m := &l.p.metrics
	m.held.Set(float64(l.held()))
	m.oldestAnswer.Set(oldest.Seconds())
	m.secondsLeft.Set((reversal - max(oldest, l.p.open.Unwatched())).Seconds())
	m.underWay.Set(float64(l.schedule.busy))
}

// warnOfLimit says that more calls at once are needed than are allowed, while there is still time to allow more.
func (l *loop) warnOfLimit() {
	if l.worstLate <= l.p.Interval || l.schedule.busy < l.p.Concurrency || !l.p.sometimes.OK("limit") {
		return
	}
	l.p.Log.Warn().Str("worker", Name).Dur("late", l.worstLate).Int("invoices", len(l.invoices)).Int("limit", l.p.Concurrency).
		Msg("polls are late by more than their interval because of the limit of calls at once: raise it, or run another poller; calls at once = open invoices × latency / interval")
}

// recordOverdue records that the buyer's time is over. The invoice is not polled meanwhile.
func (l *loop) recordOverdue(w *watch, clockIsRight func() bool, now instant) {
	l.schedule.remove(w)
	w.busy, w.nextTry = true, now+recordAgain
	l.underWay++
	lease := w.lease
	go func() {
		gone, done := false, false
		if clockIsRight() && !l.p.Bus.Now().Before(w.dueAt) {
			var err error
			gone, err = l.p.execute(w, lease, overdueAction(w.dueAt, l.p.Bus.Now()))
			done = err == nil
		}
		l.tasks <- func() {
			w.overdue = w.overdue || done
			l.finishPoll(w, lease, gone)
		}
	}()
}

// clockIsRight compares this machine's clock with the broker's once more: nothing expires while they are apart.
func (p *Worker) clockIsRight() bool {
	ctx, cancel := context.WithTimeout(p.inHand, recordTimeout)
	defer cancel()
	skew, err := p.Bus.MeasureClock(ctx)
	if err == nil && skew.Abs() > bus.MaxSkew && p.sometimes.OK("clock") {
		p.Log.Error().Str("worker", Name).Dur("skew", skew).Msg("nothing expires here: this machine's clock and the broker's are apart")
	}
	return err == nil && skew.Abs() <= bus.MaxSkew
}

// answerStuck lets the loop tell what it knows of an open invoice: whether the buyer is waited for, or the provider.
func (l *loop) answerStuck(shop, invoice string) []bus.Stuck {
	told := make(chan []bus.Stuck, 1)
	if !l.do(func() { told <- l.stuck(events.Key{Shop: shop, Invoice: invoice}) }) {
		return nil
	}
	return <-told
}

func (l *loop) stuck(k events.Key) []bus.Stuck {
	w := l.invoices[k]
	if w == nil || !w.polled {
		return nil
	}
	at := func(i instant) time.Time { return l.p.started.Add(i).UTC() }
	s := bus.Stuck{Worker: Name, Reason: bus.ReasonWaiting, Why: w.said, Since: at(w.answered), Last: at(w.asked), Attempts: w.failures}
	if w.failures > 0 {
		s.Reason = bus.ReasonError
	}
	switch {
	case w.saidBusy:
		s.Reason = bus.ReasonBusy
	case w.unanswered:
		s.Reason = bus.ReasonUnanswered
	}
	if provider := new(*seqr.Error); errors.As(w.unrecorded, provider) {
		s.Reason, s.Why = bus.ReasonError, fmt.Sprintf("%s, and the payment is not committed: %s", w.said, w.unrecorded)
	} else if w.unrecorded != nil {
		s.Reason, s.Why = bus.ReasonBroker, fmt.Sprintf("%s, and that is not recorded: %s", w.said, w.unrecorded)
	}
	return []bus.Stuck{s}
}

// balance keeps the copies' shares alike: the broker deals out entries evenly, but a copy that was alone for a while has
// them all. It is not safe for concurrent use.
type balance struct {
	id, serves string
	roll       *watching.Pollers
	returned   map[uint64]returned // entries that were given back for another copy, by sequence
	givingBack bool
}

type returned struct {
	at        time.Time
	refused   bool      // it was delivered and not accepted
	givenBack time.Time // when it was given back after it was held
}

func newBalance(p *Worker) balance {
	return balance{id: p.id, serves: serving(p.Only), roll: p.roll, returned: map[uint64]returned{}}
}

// serving names the shops that a copy is set to serve, "" for all.
func serving(only []string) string { return strings.Join(slices.Sorted(slices.Values(only)), " ") }

// mean is how many entries the copies have that serve the same shops, this one with held of them; ok is false when this
// is the only one.
func (b *balance) mean(held int, now time.Time) (mean int, ok bool) {
	copies, entries := 1, held
	for id, w := range b.roll.Living(now) {
		if id != b.id && w.Serves == b.serves {
			copies, entries = copies+1, entries+w.Held
		}
	}
	return entries / copies, copies > 1
}

func tooMuch(held, mean int) bool { return held > mean+mean/tooMuchPart+tooMuchNumber }

// accept says whether to keep an entry that was delivered. When this copy has too much, the entry is left to another once.
// cameBack says that this copy gave it back a moment ago: no other copy can poll it, or wants to.
func (b *balance) accept(seq uint64, held int, now time.Time) (ok, cameBack bool) {
	r := b.returned[seq]
	if mean, others := b.mean(held, now); !r.refused && others && tooMuch(held, mean) {
		b.returned[seq] = returned{at: now, refused: true, givenBack: r.givenBack}
		return false, false
	}
	delete(b.returned, seq)
	return true, now.Sub(r.givenBack) < cameBackWithin
}

// noteGivenBack notes that an entry is given back for another copy.
func (b *balance) noteGivenBack(seq uint64, now time.Time) {
	b.returned[seq] = returned{at: now, givenBack: now}
}

// excess is how many entries to give back now. It is asked once a second, and forgets what was given back long ago.
func (b *balance) excess(held int, now time.Time) int {
	maps.DeleteFunc(b.returned, func(_ uint64, r returned) bool { return now.Sub(r.at) > returnedMemory })
	mean, others := b.mean(held, now)
	switch {
	case !others || held <= mean+1:
		b.givingBack = false
	case tooMuch(held, mean):
		b.givingBack = true
	}
	if !b.givingBack {
		return 0
	}
	return min(held-mean, max(held/excessPart, 1))
}
