package poller

import (
	"context"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// leases are the entries of the index that this copy holds. The invoice of each is loaded before anything else, the newest
// entries first: those invoices are the most likely to be paid right now. It is safe for concurrent use.
type leases struct {
	p       *Worker
	ctx     context.Context // of the loads under way
	cancel  context.CancelFunc
	arrive  func(w *watch, recorded bool) // takes what is to be polled, or waited for
	balance *balance
	loads   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	waiting []*watch // to be loaded, the newest last
	loading int
	held    map[*bus.Lease]struct{} // what this copy has; a lease that was lost is none of it
}

func newLeases(p *Worker, arrive func(*watch, bool)) *leases {
	ls := &leases{p: p, arrive: arrive, balance: newBalance(p), held: map[*bus.Lease]struct{}{}}
	ls.ctx, ls.cancel = context.WithCancel(p.inHand)
	return ls
}

// acceptDelivery owns a lease from now on. It does not block.
func (ls *leases) acceptDelivery(l *bus.Lease) {
	k, err := keyOf(l.Subject)
	if err != nil || l.Replayed {
		go ls.acceptUnusual(l, k, err)
		return
	}
	now := time.Now()
	if !ls.balance.accept(l.Seq, ls.size(), now) {
		l.GiveBack(refusedFor)
		return
	}
	w := &watch{key: k, lease: l}
	if ls.balance.cameBack(l.Seq, now) {
		w.kept = now
	}
	ls.mu.Lock()
	ls.held[l] = struct{}{}
	ls.mu.Unlock()
	ls.load(w)
}

// acceptUnusual parks a message of the index whose subject names no invoice. An invoice that a person has sent back it
// puts on the index again: from there the invoice comes to some copy, and is counted.
func (ls *leases) acceptUnusual(l *bus.Lease, k events.Key, odd error) {
	ctx, err := context.WithoutCancel(ls.ctx), odd
	if odd != nil {
		err = l.Park(ctx, 1, odd)
	} else if _, _, err = ls.p.Bus.IndexOpen(ls.ctx, k, 0); err == nil {
		l.Done(ctx)
	}
	if err != nil {
		ls.p.Log.Warn().Err(err).Str("worker", Name).Str("subject", l.Subject).Msg("a message of the index is neither parked nor indexed yet")
		l.GiveBack(leftToNewer)
	}
}

// load has the invoice of an entry loaded that this copy holds.
func (ls *leases) load(w *watch) {
	ls.mu.Lock()
	stopped := ls.stopped
	if !stopped {
		ls.waiting = append(ls.waiting, w)
	}
	if !stopped && ls.loading < loadsAtOnce {
		ls.loading++
		ls.loads.Go(ls.runLoads)
	}
	ls.mu.Unlock()
	if stopped {
		ls.giveBack(w.lease, atOnce)
	}
}

func (ls *leases) runLoads() {
	for w := ls.nextLoad(); w != nil; w = ls.nextLoad() {
		ls.loadEntry(w)
	}
}

func (ls *leases) nextLoad() *watch {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	last := len(ls.waiting) - 1
	if last < 0 {
		ls.loading--
		return nil
	}
	w := ls.waiting[last]
	ls.waiting[last], ls.waiting = nil, ls.waiting[:last]
	return w
}

// loadEntry loads an invoice and does with its entry what the stream says.
func (ls *leases) loadEntry(w *watch) {
	l, p := w.lease, ls.p
	if l.Lost() {
		ls.drop(l)
		return
	}
	age := time.Duration(0) // nothing is removed or parked for its age while that is not known
	if p.Bus.ClockKnown() {
		age = p.Bus.Now().Sub(l.At)
	}
	act, err := ls.loadInvoice(w, age)
	if act != retryLoad {
		w.unread = 0
	}
	log := p.Log.Warn().Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice)
	switch act {
	case pollEntry, awaitInvoice:
		ls.arrive(w, act == pollEntry)
	case removeEntry:
		ls.removeEntry(l)
	case forgetEntry:
		log.Dur("age", age).Msg("an entry of the index is removed: nothing is recorded of its invoice")
		ls.removeEntry(l)
		ls.indexAgain(w.key)
	case leaveToOther:
		p.reportNotServed(w.key, err)
		ls.leaveToOther(l)
	case leaveToNewer:
		if p.sometimes.OK("newer") {
			log.Msg("an invoice is left to a newer version of this program; nobody polls it unless one runs")
		}
		ls.giveBack(l, leftToNewer)
	case parkEntry:
		if err := p.parkInvoice(ls.ctx, w, l, action{park: err}); err != nil {
			ls.giveBack(l, leftToNewer)
		}
		ls.indexAgain(w.key)
	case retryLoad:
		if p.sometimes.OK("load") {
			log.Msg("invoices cannot be loaded")
		}
		ls.loadLater(w)
	}
}

// loadLater keeps an entry whose invoice the broker did not give: the broker would not hear at once that the entry is given
// back, and deal it out only after ackWait. After a while another copy may have better luck.
func (ls *leases) loadLater(w *watch) {
	now := time.Since(ls.p.started)
	if w.unread == 0 {
		w.unread = now
	}
	if now-w.unread < preparingFor {
		ls.arrive(w, false)
		return
	}
	ls.leaveToOther(w.lease)
}

// indexAgain puts an invoice on the index that was recorded while its entry was being removed. The invoicer looks whether
// the entry is there after it has recorded the invoice, so one of the two sees the other; of an entry that is about to be
// removed it looks once more later, since this process may die before it has come here.
func (ls *leases) indexAgain(k events.Key) {
	ctx := context.WithoutCancel(ls.ctx)
	for {
		inv, err := ls.p.Bus.Load(ctx, k)
		if err == nil && (!inv.State.Open() || inv.InvoiceReference == "") {
			return
		}
		if _, _, err = ls.p.Bus.IndexOpen(ctx, k, 0); err == nil {
			return
		}
		if ls.p.sometimes.OK("index again") {
			ls.p.Log.Error().Err(err).Str("worker", Name).Str("invoice", k.String()).Msg("invoices that may be open are not on the index yet")
		}
		select {
		case <-ls.ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// removeEntry removes the entry from the index.
func (ls *leases) removeEntry(l *bus.Lease) {
	l.Done(context.WithoutCancel(ls.ctx))
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
	l.GiveBack(after)
	ls.drop(l)
}

func (ls *leases) leaveToOther(l *bus.Lease) {
	ls.giveBack(l, ls.balance.strangerPause(l.Seq, time.Now()))
}

// size is how many entries this copy has.
func (ls *leases) size() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.held)
}

// stop gives back what is not loaded yet; nothing is loaded any more.
func (ls *leases) stop() {
	ls.mu.Lock()
	waiting := ls.waiting
	ls.stopped, ls.waiting = true, nil
	ls.mu.Unlock()
	for _, w := range waiting {
		ls.giveBack(w.lease, atOnce)
	}
	ls.cancel()
	ls.loads.Wait()
}
