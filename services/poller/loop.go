package poller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// loop is the one goroutine that knows which invoices are held and when each is due.
type loop struct {
	w        *Worker
	arrivals chan bus.Held
	hints    chan events.Key
	polled   chan news
	stopped  chan struct{}
	inHand   context.Context // of the polls under way
	abandon  context.CancelFunc

	held      map[events.Key]*watch
	accounts  map[string]*account
	early     map[events.Key]time.Time // hints for invoices that are not held yet
	ring      *ring
	due       queues
	beats     [beatSlots][]*watch // one turn of the ring is the heartbeat's interval
	beatN     int64
	busy      int           // polls that wait for their answer
	recording int           // polls whose answer is being recorded
	records   chan struct{} // bounds what is recorded at once
}

const (
	beatSlots = 50
	waiting   = 4096 // arrivals and hints that may wait for the loop
)

func newLoop(w *Worker) *loop {
	inHand, abandon := context.WithCancel(context.Background())
	return &loop{
		inHand: inHand, abandon: abandon, w: w, arrivals: make(chan bus.Held, waiting), hints: make(chan events.Key, waiting),
		polled: make(chan news, w.Concurrency), stopped: make(chan struct{}),
		held: map[events.Key]*watch{}, accounts: map[string]*account{}, early: map[events.Key]time.Time{}, ring: newRing(time.Now()),
		due: newQueues(w.Concurrency), records: make(chan struct{}, w.Concurrency),
	}
}

// arrive passes a delivery to the loop; one that comes too late goes back.
func (l *loop) arrive(ctx context.Context, h bus.Held) {
	select {
	case l.arrivals <- h:
	case <-ctx.Done():
		h.GiveBack()
	case <-l.stopped:
		h.GiveBack()
	}
}

// hint is dropped when the loop is behind: the invoice's own turn comes anyway.
func (l *loop) hint(ctx context.Context, k events.Key) {
	select {
	case l.hints <- k:
	case <-ctx.Done():
	default:
	}
}

func (l *loop) stop() { close(l.stopped) }

func (l *loop) run(ctx context.Context) {
	tick, beat, look := time.NewTicker(slot), time.NewTicker(l.w.Bus.HeartbeatEvery()/beatSlots), time.NewTicker(time.Second)
	defer tick.Stop()
	defer beat.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			l.release()
			return
		case <-l.stopped:
			l.release()
			return
		case h := <-l.arrivals:
			l.take(h)
		case k := <-l.hints:
			l.hurry(k)
		case n := <-l.polled:
			if l.settle(n); n.over {
				l.after(n.w)
			}
		case <-tick.C:
			l.ring.advance(time.Now(), l.due.add)
		case <-beat.C:
			l.heartbeat()
		case <-look.C:
			l.survey(time.Now())
		}
		l.dispatch()
	}
}

// take holds a delivery. One that is held already has been redelivered: the newer delivery counts.
func (l *loop) take(h bus.Held) {
	k := h.Key()
	if w, ok := l.held[k]; ok {
		if w.newer = &h; !w.busy {
			w.renew()
		}
		return
	}
	inv, err := h.Invoice()
	if err == nil && inv.InvoiceReference == "" {
		err = events.Problem{Path: "data.invoiceReference", Expected: "missing"}
	}
	as, ok := l.w.Shops.Terminal(inv.Shop)
	if err == nil && !ok {
		err = fmt.Errorf("shop: no credentials for %q in the settings", inv.Shop)
	}
	if err != nil {
		go l.w.refuse(h, err)
		return
	}
	now := time.Now()
	w := &watch{
		held: h, key: k, slot: none, place: none, as: as, reference: inv.InvoiceReference, account: l.account(as.ID),
		ctx: bus.WithTrace(seqr.WithAbout(l.inHand, k.String()), h.TraceParent()),
	}
	if inv.DueAt != nil {
		w.dueAt = *inv.DueAt
	}
	l.held[k] = w
	w.beat = (l.beatN + beatSlots - 1) % beatSlots
	l.beats[w.beat] = append(l.beats[w.beat], w)
	// Nobody could pay before this event told of the QR code. When another copy held it, that copy may
	// have been silent for as long as the broker bore it.
	age := max(0, l.w.Bus.Now().Sub(h.At))
	if h.Redelivered || h.Replayed {
		age = min(age, l.w.Bus.AckWait())
	}
	w.answered.Store(int64(now.Add(-age).Sub(l.w.started)))
	_, hinted := l.early[k] // the buyer was quicker than the broker
	delete(l.early, k)
	if age < l.w.Interval && !hinted {
		l.ring.put(w, now.Add(rand.N(l.w.Interval))) // spread, so that a burst of orders is no burst of polls
		return
	}
	w.due = now
	l.due.add(w)
}

func (l *loop) account(id string) *account {
	a := l.accounts[id]
	if a == nil {
		a = new(account)
		l.accounts[id] = a
	}
	return a
}

// renew takes the newer delivery as the one to acknowledge.
func (w *watch) renew() {
	if w.newer != nil {
		w.held, w.newer = *w.newer, nil
	}
}

// hurry makes an invoice due now.
func (l *loop) hurry(k events.Key) {
	w, ok := l.held[k]
	switch {
	case !ok:
		if len(l.early) < waiting {
			l.early[k] = time.Now()
		}
	case w.busy:
		w.again = true
	default:
		l.hasten(w)
	}
}

// hasten makes an invoice due now. It gets no place before those that are nearer to a reversal: anybody
// who reaches the gateway can send a hint.
func (l *loop) hasten(w *watch) {
	w.slot, w.due = none, time.Now()
	l.due.add(w)
}

// dispatch asks about those who are due while there is room.
func (l *loop) dispatch() {
	for l.busy < l.w.Concurrency {
		w := l.due.next(time.Since(l.w.started))
		if w == nil {
			return
		}
		w.busy = true
		l.busy++
		late := max(0, time.Since(w.due))
		l.w.metrics.lateness.Observe(late.Seconds())
		if l.w.Observe != nil {
			l.w.Observe(late)
		}
		go func() {
			if record := l.w.ask(w); record != nil {
				l.polled <- news{w: w}
				l.w.record(w, l.records, record)
			}
			l.polled <- news{w: w, over: true}
		}()
	}
}

// news of a poll: it has its answer, or is over. One whose answer needs no recording is over at once.
type news struct {
	w    *watch
	over bool
}

// settle takes back the slot when the answer is there, and counts what is being recorded.
func (l *loop) settle(n news) {
	w := n.w
	if w.freed {
		l.recording--
	} else {
		l.busy--
		l.due.over(w)
	}
	w.freed, w.busy = !n.over, !n.over
	if w.freed {
		l.recording++
	}
}

// after puts an invoice back into the timetable, or lets go of it.
func (l *loop) after(w *watch) {
	w.renew()
	switch {
	case w.gone:
		delete(l.held, w.key)
	case w.again:
		w.again = false
		l.hasten(w)
	default:
		l.ring.put(w, following(w.due, time.Now(), pauseAfter(w.failures, l.w.Interval)))
	}
}

// heartbeat tells the broker of one slot's invoices that they are held.
func (l *loop) heartbeat() {
	i := l.beatN % beatSlots
	l.beatN++
	kept := l.beats[i][:0]
	for _, w := range l.beats[i] {
		if _, ok := l.held[w.key]; ok && l.held[w.key] == w {
			w.held.Heartbeat()
			kept = append(kept, w)
		}
	}
	clear(l.beats[i][len(kept):])
	l.beats[i] = kept
}

// survey finds the invoice that is nearest to a reversal, should it be paid.
func (l *loop) survey(now time.Time) {
	for k, at := range l.early {
		if now.Sub(at) > earlyHint {
			delete(l.early, k)
		}
	}
	worst := time.Duration(0)
	for _, w := range l.held {
		age := now.Sub(l.w.started) - time.Duration(w.answered.Load())
		worst = max(worst, age)
		if age < worrying {
			w.worried = false
		} else if !w.worried {
			w.worried = true
			l.w.Log.Warn().Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).Dur("since_answer", age).
				Msg("no answer about this invoice for long; a payment made meanwhile is near to being reversed")
		}
	}
	l.w.metrics.held.Set(float64(len(l.held)))
	l.w.metrics.worst.Set(worst.Seconds())
	l.w.metrics.left.Set((reversal - worst).Seconds())
}

// release finishes the polls under way, within the grace period, and gives everything back.
func (l *loop) release() {
	defer l.abandon()
	defer time.AfterFunc(grace, l.abandon).Stop()
	for l.busy > 0 || l.recording > 0 {
		n := <-l.polled
		if l.settle(n); n.over && n.w.gone {
			delete(l.held, n.w.key)
		}
	}
	for _, w := range l.held {
		w.renew()
		w.held.GiveBack()
	}
	l.giveBackArrivals()
}

// giveBackArrivals returns what came too late to be taken.
func (l *loop) giveBackArrivals() {
	for {
		select {
		case h := <-l.arrivals:
			h.GiveBack()
		default:
			return
		}
	}
}
