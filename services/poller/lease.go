package poller

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// acceptDelivery owns the lease of an entry from now on. It is called on goroutines of the bus.
func (l *loop) acceptDelivery(lease *bus.Lease) {
	k, err := keyOf(lease.Subject)
	switch {
	case err != nil || lease.Replayed:
		go l.p.acceptUnusual(lease, k, err)
	case !l.do(func() { l.acceptEntry(lease, k) }):
		lease.GiveBack(atOnce)
	}
}

// acceptEntry keeps an entry, and has its invoice loaded, unless another copy is to have it.
func (l *loop) acceptEntry(lease *bus.Lease, k events.Key) {
	now := l.now()
	if known := l.invoices[k]; known != nil {
		l.renewLease(known, lease)
		if known.terminal == nil {
			l.loadSoon(known, now)
		}
		return
	}
	ok, cameBack := l.balance.accept(lease.Seq, l.held(), time.Now())
	if !ok {
		go lease.GiveBack(refusedFor)
		return
	}
	w := l.holdEntry(k, lease)
	if cameBack {
		w.kept = time.Now()
	}
	_, w.anyHint = l.earlyHints[k] // the buyer, or the invoicer, was quicker than the index
	_, w.issuedHint = l.earlyIssued[k]
	w.again = w.anyHint || w.issuedHint
	delete(l.earlyHints, k)
	delete(l.earlyIssued, k)
}

// renewLease gives an invoice that is known the lease that came now. The one that it had is lost, or of an entry that was
// removed before this one was stored.
func (l *loop) renewLease(w *watch, lease *bus.Lease) {
	if lease.Lost() || lease.Seq < w.seq {
		lease.Drop()
		return
	}
	w.lease.Drop()
	l.setLost(w, 0)
	w.lease, w.seq = lease, lease.Seq
}

// holdEntry keeps an entry whose invoice is to be loaded.
func (l *loop) holdEntry(k events.Key, lease *bus.Lease) *watch {
	w := &watch{key: k, lease: lease, seq: lease.Seq}
	l.invoices[k] = w
	l.toLoad = append(l.toLoad, w)
	return w
}

// beginLoads loads invoices, the newest entries first: those invoices are the most likely to be paid right now.
func (l *loop) beginLoads() {
	for last := len(l.toLoad) - 1; last >= 0 && l.loading < loadsAtOnce; last-- {
		w := l.toLoad[last]
		l.toLoad[last], l.toLoad = nil, l.toLoad[:last]
		switch {
		case l.invoices[w.key] != w: // it was lost or given back meanwhile
		case w.lease.Lost():
			l.dropEntry(w)
		default:
			w.busy, w.loadBegun = true, l.now()
			l.loading++
			go l.load(w, w.lease)
		}
	}
}

// load loads an invoice and does with its entry what the stream says.
func (l *loop) load(w *watch, lease *bus.Lease) {
	defer func() { l.tasks <- func() { l.loading-- } }()
	e := l.p.loadEntry(l.loads, w.key, lease)
	lookBack := e.action == forgetEntry || e.action == parkEntry
	switch e.action {
	case removeEntry, forgetEntry:
		lease.Done(context.WithoutCancel(l.loads))
	case parkEntry:
		if err := l.p.parkInvoice(l.loads, &watch{key: w.key, loaded: e.loaded}, lease, action{park: e.err}); err != nil {
			e.action = leaveToNewer
		}
	}
	l.tasks <- func() { l.finishLoad(w, lease, e) }
	if lookBack { // what was not recorded may be so by now
		l.p.indexAgain(l.loads, w.key)
	}
}

// finishLoad takes in what was loaded.
func (l *loop) finishLoad(w *watch, lease *bus.Lease, e loadedEntry) {
	now := l.now()
	w.busy = false
	if e.action != retryLoad {
		w.unreadSince = 0
	} else if w.unreadSince == 0 {
		w.unreadSince = now
	}
	switch e.action {
	case pollEntry:
		w.as, w.reference, w.loaded = e.as, e.loaded.InvoiceReference, e.loaded
		l.startPolling(w, now)
	case awaitInvoice:
		l.waitForInvoice(w, now)
	case leaveToNewer:
		l.giveBackEntry(w, leftToNewer)
	case leaveToOther:
		l.giveBackToOther(w)
	case retryLoad:
		// The broker would not hear at once that the entry is given back, and deal it out only after ackWait. After a while
		// another copy may have better luck.
		if now-w.unreadSince >= reloadOftenFor {
			l.giveBackToOther(w)
		} else {
			l.waitForInvoice(w, now)
		}
	default:
		l.endEntry(w, lease)
	}
}

// waitForInvoice keeps an entry until its invoice is recorded: its order is being handled.
func (l *loop) waitForInvoice(w *watch, now instant) {
	if w.unrecordedSince == 0 {
		w.unrecordedSince = now
	}
	pause := reloadEvery
	switch {
	case w.again && w.issuedHint: // it was loaded just before
		pause = 0
	case w.again:
		pause = reloadAfterHint
	case now-w.unrecordedSince > reloadOftenFor:
		pause = reloadLater
	}
	w.again = false
	l.schedule.addUnrecorded(w, now+pause)
}

// loadSoon has an invoice loaded again at the given time, or after the load under way.
func (l *loop) loadSoon(w *watch, at instant) { w.again = !l.schedule.moveUp(w, at) }

// endEntry ends an invoice whose entry was removed, parked or given back under the given lease.
func (l *loop) endEntry(w *watch, lease *bus.Lease) {
	if w.lease == lease {
		l.dropEntry(w)
		return
	}
	l.setLost(w, 0)
	l.holdEntry(w.key, w.lease) // it was put on the index again meanwhile, or came again
}

// dropEntry ends the lease of an entry that is gone, or another copy's.
func (l *loop) dropEntry(w *watch) {
	w.lease.Drop()
	l.forget(w)
}

func (l *loop) giveBackEntry(w *watch, after time.Duration) {
	go w.lease.GiveBack(after) // the connection may hang
	l.forget(w)
}

func (l *loop) forget(w *watch) {
	l.schedule.remove(w)
	l.setLost(w, 0)
	delete(l.invoices, w.key)
}

// giveBackToOther leaves an entry that this copy cannot poll to the others, for longer each time.
func (l *loop) giveBackToOther(w *watch) {
	pause, _ := l.unserved.Leave(w.seq, time.Now())
	l.giveBackEntry(w, pause)
}

// giveBackExcess gives entries back for the sake of the other copies, those with the newest answers: they can wait a moment.
func (l *loop) giveBackExcess(now instant) {
	n := l.balance.excess(l.held(), time.Now())
	for _, w := range l.invoices {
		if n <= 0 {
			return
		}
		if w.terminal == nil || w.busy || w.lost > 0 || time.Since(w.kept) < returnedMemory || now-w.answered > 2*l.p.Interval {
			continue
		}
		l.balance.noteGivenBack(w.seq, time.Now())
		l.giveBackEntry(w, atOnce)
		n--
	}
}

// giveBackAll gives everything back at once but for what is loaded or polled, which has the grace period to finish.
func (l *loop) giveBackAll() {
	defer l.abandon()
	defer time.AfterFunc(grace, l.abandon).Stop()
	giveBack := func() {
		for _, w := range l.invoices {
			if !w.busy {
				w.lease.GiveBack(atOnce)
				l.forget(w)
			}
		}
	}
	l.announce()
	giveBack()
	l.stopLoads()
	for l.underWay+l.loading > 0 {
		(<-l.tasks)()
	}
	giveBack()
}

// held is how many entries this copy has. A lease that was lost is none of them.
func (l *loop) held() int { return len(l.invoices) - l.lost }

// setLost notes since when it is known that the lease of an invoice is lost; 0 is that it is not.
func (l *loop) setLost(w *watch, at instant) {
	if w.lost > 0 {
		l.lost--
	}
	if w.lost = at; at > 0 {
		l.lost++
	}
}

// dropLostLease handles an invoice whose lease is lost: this copy stood still, or was cut off from the broker. The copy goes on
// asking about such an invoice, which is harmless and may fetch a payment in time, until another copy has it for certain.
func (l *loop) dropLostLease(w *watch, now instant) (dropped bool) {
	first := w.lost == 0
	if first || !l.connected.Load() {
		w.lease.Drop()
		l.setLost(w, now)
	}
	if w.busy || w.terminal != nil && (first || now-w.lost <= lostFor*l.p.Bus.AckWait()) {
		return false
	}
	l.dropEntry(w)
	return true
}
