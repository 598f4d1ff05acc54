package poller

import (
	"context"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// loadsAtOnce is how many invoices are loaded at the same time.
const loadsAtOnce = 64

// leases are the entries of the index that this copy holds. Each is loaded before anything else, the newest entries
// first: those invoices are the most likely to be paid right now.
type leases struct {
	p      *Worker
	ctx    context.Context // of the loads under way
	cancel context.CancelFunc
	ready  func(*watch, disposition) // takes what is to be polled, or looked at again
	loads  sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	waiting []*watch // to be loaded, the newest last
	loading int
	held    map[*bus.Lease]struct{} // what this copy has; a lease that was lost is none of it
	strange *bus.Strangers          // entries that this copy cannot poll
	balance balance
}

func newLeases(p *Worker, ready func(*watch, disposition)) *leases {
	ls := &leases{p: p, ready: ready, held: map[*bus.Lease]struct{}{}, strange: bus.NewStrangers(notServedMost), balance: newBalance(p)}
	ls.ctx, ls.cancel = context.WithCancel(p.inHand)
	return ls
}

// take owns a lease from now on. It does not block.
func (ls *leases) take(l *bus.Lease) {
	k, err := keyOf(l.Subject)
	if err != nil {
		go ls.parkOdd(l, err)
		return
	}
	if l.Replayed {
		go ls.indexAgain(l, k)
		return
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now := time.Now()
	if ls.stopped || !ls.balance.accept(l.Seq, len(ls.held), now) {
		pause := refusedFor
		if ls.stopped {
			pause = atOnce
		}
		l.GiveBack(pause)
		return
	}
	ls.held[l] = struct{}{}
	w := &watch{key: k, lease: l, place: none}
	if ls.balance.cameBack(l.Seq, now) {
		w.kept = now
	}
	ls.queue(w)
}

// again loads an entry that is held already.
func (ls *leases) again(w *watch) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.stopped {
		ls.release(w.lease, atOnce)
		return
	}
	ls.queue(w)
}

// queue is called with mu held.
func (ls *leases) queue(w *watch) {
	ls.waiting = append(ls.waiting, w)
	if ls.loading < loadsAtOnce {
		ls.loading++
		ls.loads.Go(ls.loadAll)
	}
}

func (ls *leases) loadAll() {
	for {
		ls.mu.Lock()
		n := len(ls.waiting)
		if n == 0 || ls.stopped {
			ls.loading--
			ls.mu.Unlock()
			return
		}
		w := ls.waiting[n-1]
		ls.waiting[n-1], ls.waiting = nil, ls.waiting[:n-1]
		ls.mu.Unlock()
		ls.one(w)
	}
}

// one loads an invoice and does with its entry what the stream says.
func (ls *leases) one(w *watch) {
	l := w.lease
	if l.Lost() {
		ls.drop(l)
		return
	}
	age := time.Duration(0) // nothing is removed or parked for its age while that is not known
	if ls.p.Bus.ClockKnown() {
		age = ls.p.Bus.Now().Sub(l.Time)
	}
	d, err := ls.load(w, age)
	if d != toRetry {
		w.unread = 0
	}
	log := ls.p.Log.Warn().Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice)
	switch d {
	case toPoll, toPrepare:
		ls.ready(w, d)
	case toFinish:
		ls.done(context.WithoutCancel(ls.ctx), l)
	case toForget:
		log.Dur("age", age).Msg("an entry of the index is removed: nothing is recorded of its invoice")
		ls.done(context.WithoutCancel(ls.ctx), l)
		ls.lookBack(w.key)
	case toLeave:
		ls.p.notServed(w.key, err)
		ls.giveBack(l, ls.strangePause(l.Seq))
	case toNewer:
		if ls.p.sometimes.OK("newer") {
			log.Msg("an invoice is left to a newer version of this program; nobody polls it unless one runs")
		}
		ls.giveBack(l, leftToNewer)
	case toPark:
		ls.park(w, err)
		ls.lookBack(w.key)
	case toRetry:
		if ls.p.sometimes.OK("load") {
			log.Msg("invoices cannot be loaded")
		}
		ls.retry(w)
	}
}

// retry looks again at an entry whose invoice the broker did not give: it would not hear at once that the entry is given
// back, and deal it out only after AckWait. After a while another copy may have better luck.
func (ls *leases) retry(w *watch) {
	now := time.Since(ls.p.started)
	if w.unread == 0 {
		w.unread = now
	}
	if now-w.unread < preparingFor {
		ls.ready(w, toPrepare)
		return
	}
	ls.giveBack(w.lease, ls.strangePause(w.lease.Seq))
}

// indexAgain puts an invoice that a person has sent back on the index: from there it comes to some copy, and is counted.
func (ls *leases) indexAgain(l *bus.Lease, k events.Key) {
	if _, _, err := ls.p.Bus.IndexOpen(ls.ctx, k, 0); err != nil {
		ls.p.Log.Warn().Err(err).Str("worker", Name).Str("invoice", k.String()).Msg("a replayed invoice is not on the index yet")
		l.GiveBack(leftToNewer)
		return
	}
	l.Done(context.WithoutCancel(ls.ctx))
}

// parkOdd parks a message of the index whose subject names no invoice.
func (ls *leases) parkOdd(l *bus.Lease, reason error) {
	if err := l.Park(context.WithoutCancel(ls.ctx), 1, reason); err != nil {
		l.GiveBack(leftToNewer)
	}
}

func (ls *leases) park(w *watch, reason error) {
	if err := ls.p.giveUp(ls.ctx, w, w.lease, action{park: reason}); err != nil {
		ls.giveBack(w.lease, leftToNewer)
	}
}

// strangePause is how long an entry that this copy cannot poll is left to the others.
func (ls *leases) strangePause(seq uint64) time.Duration {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	pause, _ := ls.strange.Leave(seq, time.Now())
	return pause
}

// tidy forgets what was seen long ago.
func (ls *leases) tidy(now time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.balance.tidy(now)
}

// done removes the entry from the index.
func (ls *leases) done(ctx context.Context, l *bus.Lease) {
	l.Done(ctx)
	ls.drop(l)
}

// drop ends a lease whose entry is gone, or another copy's.
func (ls *leases) drop(l *bus.Lease) {
	l.Drop()
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.held, l)
}

func (ls *leases) giveBack(l *bus.Lease, after time.Duration) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.release(l, after)
}

// release is giveBack with mu held.
func (ls *leases) release(l *bus.Lease, after time.Duration) {
	l.GiveBack(after)
	delete(ls.held, l)
}

// size is how many entries this copy has.
func (ls *leases) size() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.held)
}

// excess is how many of them to give back for the sake of balance.
func (ls *leases) excess(now time.Time) int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.balance.excess(len(ls.held), now)
}

// shedOne gives an entry back for another copy.
func (ls *leases) shedOne(w *watch, now time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.balance.noteShed(w.lease.Seq, now)
	ls.release(w.lease, atOnce)
}

// stop gives back what is not loaded yet; nothing is taken any more.
func (ls *leases) stop() {
	ls.mu.Lock()
	ls.stopped = true
	for _, w := range ls.waiting {
		ls.release(w.lease, atOnce)
	}
	ls.waiting = nil
	ls.mu.Unlock()
	ls.cancel()
	ls.loads.Wait()
}
