package poller

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// survey looks at everything that is held, once a second: what is nearest to a reversal, whose time is over, and whether
// the limit of calls suffices.
func (l *loop) survey(now instant) {
	for _, hints := range []map[events.Key]instant{l.early, l.recorded} {
		for k, at := range hints {
			if now-at > earlyHint {
				delete(hints, k)
			}
		}
	}
	l.lose(now)
	worst, worried := instant(0), 0
	wall := l.p.Bus.Now()
	for _, w := range l.held {
		age := now - w.answered
		worst = max(worst, age)
		if age >= worrying && w.polled {
			worried++
		}
		if !w.busy {
			if w.isDue() {
				l.latest = max(l.latest, now-w.due)
			}
			if !w.overdue && !w.dueAt.IsZero() && !wall.Before(w.dueAt) && now >= w.nextTry {
				l.expire(w, now)
			}
		}
	}
	for _, w := range l.preparing {
		if w.unread > 0 { // it may be open, and is not polled
			worst = max(worst, now-w.unread)
		}
	}
	if worried > 0 && l.p.sometimes.OK("worried") {
		l.p.Log.Warn().Str("worker", Name).Int("invoices", worried).Dur("oldest", worst).
			Msg("no answer about invoices for long; payments made meanwhile are near to being reversed")
	}
	l.p.leases.tidy(time.Now())
	l.shed(l.p.leases.excess(time.Now()), now)
	l.warnOfLimit()
	l.publish(worst)
}

// publish sets the figures. An invoice that nobody watches is as near to a reversal as one whose polls are not answered.
func (l *loop) publish(worst instant) {
	m := &l.p.metrics
	l.p.oldest.Store(int64(worst))
	m.held.Set(float64(l.p.leases.size()))
	m.worst.Set(worst.Seconds())
	m.left.Set((reversal - max(worst, l.p.open.Unwatched())).Seconds())
	m.underWay.Set(float64(l.schedule.busy))
	l.latest = 0
}

// warnOfLimit says that more calls at once are needed than are allowed, while there is still time to allow more.
func (l *loop) warnOfLimit() {
	if l.latest <= l.p.Interval || l.schedule.busy < l.p.Concurrency || !l.p.sometimes.OK("limit") {
		return
	}
	l.p.Log.Warn().Str("worker", Name).Dur("late", l.latest).Int("invoices", len(l.held)).Int("limit", l.p.Concurrency).
		Msg("polls are late by more than their interval because of the limit of calls at once: raise it, or run another poller; calls at once = open invoices × latency / interval")
}

// lose finds the leases that are lost: this copy stood still, or was cut off from the broker. It goes on asking about such an
// invoice, which is harmless and may fetch a payment in time, until another copy has it for certain.
func (l *loop) lose(now instant) {
	connected := l.p.Bus.Conn().IsConnected()
	for k, w := range l.preparing {
		if w.lease.Lost() {
			delete(l.preparing, k)
			l.p.leases.drop(w.lease)
		}
	}
	for k, w := range l.held {
		switch {
		case !w.lease.Lost():
		case w.lost == 0 || !connected:
			w.lost = now
			l.p.leases.drop(w.lease)
		case now-w.lost > l.p.Bus.AckWait()*3/2 && !w.busy: // a cluster may elect a leader meanwhile
			l.schedule.remove(w)
			delete(l.held, k)
		}
	}
}

// expire records that the buyer's time is over. The invoice is not polled meanwhile.
func (l *loop) expire(w *watch, now instant) {
	l.schedule.remove(w)
	w.busy, w.nextTry = true, now+recordAgain
	l.underWay++
	lease := w.lease
	go func() {
		n := news{w: w, over: true, lease: lease}
		if l.p.isOver(w) {
			n.gone, n.expired = l.follow(w, lease, overdue(w.dueAt, l.p.Bus.Now()))
		}
		l.news <- n
	}()
}

// isOver judges by the broker's clock, measured again, and by no clock when this machine's is wrong.
func (p *Worker) isOver(w *watch) bool {
	ctx, cancel := context.WithTimeout(w.ctx, recordTimeout)
	defer cancel()
	skew, err := p.clock.measure(ctx, p.Bus)
	if err != nil {
		return false
	}
	if skew.Abs() > bus.MaxSkew {
		if p.sometimes.OK("clock") {
			p.Log.Error().Str("worker", Name).Dur("skew", skew).Msg("nothing expires here: this machine's clock and the broker's are apart")
		}
		return false
	}
	return !p.Bus.Now().Before(w.dueAt)
}

// shed gives entries back for the sake of the other copies, those with the newest answers: they can wait a moment.
func (l *loop) shed(n int, now instant) {
	for _, w := range l.held {
		if n <= 0 {
			return
		}
		if w.busy || w.lost > 0 || time.Since(w.kept) < shedMemory || now-w.answered > 2*l.p.Interval {
			continue
		}
		l.schedule.remove(w)
		delete(l.held, w.key)
		l.p.leases.shedOne(w, time.Now())
		n--
	}
}
