package chaos

import (
	"context"
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
	for {
		busy := w.first(ctx, func(c consumer) bool { return c.err != nil || c.waiting > 0 || c.inHand > 0 })
		if busy == nil {
			return
		}
		if !pause(ctx, lookEvery) {
			w.fault("messages were never settled: %s has %d to take and %d in hand (%v)", busy.name, busy.waiting, busy.inHand, busy.err)
			return
		}
	}
}

// durables of the world's consumers, by stream; each has another for what is sent back from PARKED.
func (w *world) durables() map[string][]string {
	token := "-" + w.shop
	orders := []string{"invoicer" + token, "canceler" + token, "refunder" + token}
	invoices := []string{"poller" + token, "receipter" + token, "canceler-overdue" + token, "refunder-late" + token}
	out := map[string][]string{events.OrdersStream: orders, events.InvoicesStream: invoices}
	for _, name := range append(append([]string{}, orders...), invoices...) {
		out[events.ParkedStream] = append(out[events.ParkedStream], name+"-replay")
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
	for stream, names := range w.durables() {
		for _, name := range names {
			one := consumer{name: name}
			c, err := w.hub.JetStream().Consumer(ctx, stream, name)
			if one.err = err; err == nil {
				i := c.CachedInfo()
				one.waiting, one.inHand = int(i.NumPending), i.NumAckPending
			}
			switch strings.TrimSuffix(name, "-"+w.shop) {
			case "poller", "canceler", "refunder":
				one.keeps = true
			}
			if fits(one) {
				return &one
			}
		}
	}
	return nil
}

// forget removes the world's consumers from the broker.
func (w *world) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for stream, names := range w.durables() {
		for _, name := range names {
			_ = w.hub.JetStream().DeleteConsumer(ctx, stream, name) // a saboteur may have made none
		}
	}
}
