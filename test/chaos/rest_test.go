package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// rest waits until nothing has happened for so long that nothing will by itself: every message was taken,
// and every bill that is still open was asked about since something last happened.
func (w *world) rest(ctx context.Context) {
	for ctx.Err() == nil {
		left := quiet - (time.Since(w.begun) - time.Duration(w.active.Load()))
		if left <= 0 {
			if w.looked() && w.taken(ctx) {
				return
			}
			left = lookEvery
		}
		pause(ctx, left)
	}
}

// looked says that a poller has had an answer about every open bill since something last happened.
func (w *world) looked() bool {
	last := w.active.Load()
	open := map[string]bool{}
	for _, b := range w.sandbox.Ledger().Invoices {
		open[b.InvoiceReference] = b.Status == sandbox.Issued
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref, at := range w.polled {
		if at <= last && open[ref] {
			return false
		}
	}
	return true
}

// taken says that no message waits for a worker, but those that a worker keeps until something else happens.
func (w *world) taken(ctx context.Context) bool {
	return w.first(ctx, func(c consumer) bool { return c.err != nil || c.waiting > 0 || c.inHand > 0 && !c.keeps }) == nil
}

// settle waits until every message was acknowledged.
func (w *world) settle(ctx context.Context) {
	unsettled := func(c consumer) bool {
		return c.err != nil || c.waiting > 0 || c.inHand > 0 && (c.name != "refunder-paid" || c.inHand > w.undecided(context.WithoutCancel(ctx)))
	}
	for w.first(ctx, unsettled) != nil {
		if pause(ctx, lookEvery) {
			continue
		}
		var busy []string
		w.first(ctx, func(c consumer) bool {
			if unsettled(c) {
				busy = append(busy, fmt.Sprintf("%s has %d to take and %d in hand (%v)", c.name, c.waiting, c.inHand, c.err))
			}
			return false
		})
		w.fault("messages were never settled: %s", strings.Join(busy, "; "))
		return
	}
}

// undecided counts the second payments that wait because all that is left of the first is in doubt.
func (w *world) undecided(ctx context.Context) (n int) {
	for _, o := range w.schedule.Orders {
		if o.Of == "" {
			continue
		}
		for _, id := range []string{o.ID, o.Of} {
			inv, err := w.hub.Load(ctx, events.Key{Shop: o.shop(), Invoice: id})
			_, underWay := inv.InFlight()
			if err == nil && (inv.State == events.Paid || inv.State == events.Receipted) && inv.Remaining().Sign() == 0 && !underWay {
				n++
			}
		}
	}
	return n
}

// durables of the workers, by stream; each has another for what is sent back from PARKED.
func durables() map[string][]string {
	out := map[string][]string{}
	for _, c := range consumers() {
		out[c.Stream] = append(out[c.Stream], c.Name)
		out[events.ParkedStream] = append(out[events.ParkedStream], c.Name+"-replay")
	}
	return out
}

// consumer is how far one consumer has come.
type consumer struct {
	name            string
	waiting, inHand int
	keeps           bool // it may keep a message for as long as it takes
	err             error
}

// first consumer that fits, if any. It stops there: the broker answers such questions one by one, and all
// worlds ask.
func (w *world) first(ctx context.Context, fits func(consumer) bool) *consumer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for stream, names := range durables() {
		for _, name := range names {
			one := consumer{name: name}
			c, err := w.js.Consumer(ctx, stream, name)
			if one.err = err; err == nil {
				i := c.CachedInfo()
				one.waiting, one.inHand = int(i.NumPending), i.NumAckPending
			}
			switch name {
			case "poller", "canceler", "refunder", "refunder-canceled", "refunder-paid":
				one.keeps = true
			}
			if fits(one) {
				return &one
			}
		}
	}
	return nil
}
