package poller

import "github.com/seqrflow/seqrflow/pkg/events"

// hint is dropped when the loop is behind: the invoice's own turn comes anyway.
func (l *loop) hint(k events.Key) {
	select {
	case l.hints <- k:
	default:
	}
}

// hintIssued is hint for the invoicer's.
func (l *loop) hintIssued(k events.Key) {
	select {
	case l.issued <- k:
	default:
	}
}

// begin has an invoice polled for the first time as soon as it is recorded. The invoicer says so once for each, so there is no
// budget for it.
func (l *loop) begin(k events.Key) {
	now := l.now()
	if w := l.held[k]; w != nil {
		if !w.polled {
			l.schedule.moveUp(w, now)
		}
		return
	}
	if w := l.preparing[k]; w != nil {
		w.recorded = true
		delete(l.preparing, k)
		l.p.leases.again(w)
		return
	}
	if len(l.recorded) < mostHints {
		l.recorded[k] = now
	}
}

// hurry acts on a hint.
func (l *loop) hurry(k events.Key) {
	now := l.now()
	if w := l.held[k]; w != nil {
		taken := l.schedule.pollHinted(w, now)
		l.p.metrics.hints.WithLabelValues(hintLabel(taken)).Inc()
		return
	}
	if w := l.preparing[k]; w != nil {
		w.hinted = true
		if w.due = min(w.due, w.looked+preparingLeast); now >= w.due {
			delete(l.preparing, k)
			l.p.leases.again(w)
		}
		return
	}
	if len(l.early) < mostHints {
		l.early[k] = now
	}
}
