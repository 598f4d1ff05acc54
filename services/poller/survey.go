package poller

import (
	"context"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/watching"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// survey looks at everything that is held, at each full second of the broker's clock: what is nearest to a reversal, whose
// time is over, which leases are lost, what to give back, and whether the limit of calls suffices.
func (l *loop) survey() {
	now := l.now()
	for _, hints := range []map[events.Key]instant{l.earlyHints, l.earlyIssued} {
		for k, at := range hints {
			if now-at > earlyHintFor {
				delete(hints, k)
			}
		}
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
	l.announce(oldest)
	l.worstLate, l.polls = 0, 0
}

// announce has the other copies, and every process that shows what is unwatched, told what this one holds. It does not
// wait until that is sent.
func (l *loop) announce(oldest instant) {
	a := watching.Announcement{
		ID: l.p.id, Serves: serving(l.p.Only), Up: l.now().Seconds(),
		Held: l.held(), Polls: float64(l.polls), Oldest: oldest.Seconds(),
	}
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
			gone, done = l.p.execute(w, lease, overdueAction(w.dueAt, l.p.Bus.Now()))
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
	if w.unanswered {
		s.Reason = bus.ReasonUnanswered
	}
	return []bus.Stuck{s}
}
