package poller

// prepare keeps an entry until its invoice is recorded: its order is being handled.
func (l *loop) prepare(w *watch, hinted bool, now instant) {
	if known := l.preparing[w.key]; known != nil { // it was put on the index again
		l.renew(known, w.lease)
		return
	}
	if w.since == 0 {
		w.since = now
	}
	pause := preparingEvery
	switch {
	case hinted:
		pause = preparingLeast
	case now-w.since > preparingFor:
		pause = preparingLater
	}
	w.looked, w.due = now, now+pause
	l.preparing[w.key] = w
}

// lookAgain loads those of the invoices that were not recorded yet whose time it is.
func (l *loop) lookAgain(now instant) {
	for k, w := range l.preparing {
		if now >= w.due {
			delete(l.preparing, k)
			l.p.leases.again(w)
		}
	}
}
