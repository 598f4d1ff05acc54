package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// waitUntilQuiet waits until nothing has happened for so long that nothing will by itself: every message was received,
// and every open invoice was polled since something last happened.
func (sim *simulation) waitUntilQuiet(ctx context.Context) {
	for ctx.Err() == nil {
		left := quiet - (time.Since(sim.begun) - time.Duration(sim.active.Load()))
		if left <= 0 {
			if sim.allPolled() && sim.allReceived(ctx) {
				return
			}
			left = lookEvery
		}
		pause(ctx, left)
	}
}

// allPolled says that a poller has had an answer about every open invoice since something last happened.
func (sim *simulation) allPolled() bool {
	last := sim.active.Load()
	open := map[string]bool{}
	for _, b := range sim.sandbox.Ledger().Invoices {
		open[b.InvoiceReference] = b.Status == sandbox.Issued
	}
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for ref, at := range sim.polled {
		if at <= last && open[ref] {
			return false
		}
	}
	return true
}

// allReceived says that no message waits for a worker, but those that a worker leases until something else happens.
func (sim *simulation) allReceived(ctx context.Context) bool {
	return sim.firstConsumer(ctx, durables(), func(c consumer) bool { return c.err != nil || c.waiting > 0 || c.leased > 0 && !c.keeps }) == nil
}

// waitUntilAcknowledged waits until every message was acknowledged.
func (sim *simulation) waitUntilAcknowledged(ctx context.Context) {
	unsettled := func(c consumer) bool {
		waits := 0 // that a person has to end
		switch c.name {
		case "refunder-paid":
			waits = sim.undecided(context.WithoutCancel(ctx))
		case "refunder-released": // several refunds of one payment may have failed
			waits = c.leased * sim.undecided(context.WithoutCancel(ctx))
		}
		return c.err != nil || c.waiting > 0 || c.leased > waits
	}
	for _, all := range []map[string][]string{durables(), sim.notifierDurables()} { // no invoice goes on once the first have ended
		sim.waitUntilNone(ctx, all, unsettled)
	}
}

// waitUntilNone waits until none of the durables is unsettled.
func (sim *simulation) waitUntilNone(ctx context.Context, durables map[string][]string, unsettled func(consumer) bool) {
	for sim.firstConsumer(ctx, durables, unsettled) != nil {
		if pause(ctx, lookEvery) {
			continue
		}
		var busy []string
		sim.firstConsumer(ctx, durables, func(c consumer) bool {
			if unsettled(c) {
				busy = append(busy, fmt.Sprintf("%s has %d to receive and %d to acknowledge (%v)", c.name, c.waiting, c.leased, c.err))
			}
			return false
		})
		sim.failf("messages were never acknowledged: %s", strings.Join(busy, "; "))
		return
	}
}

// undecided counts the second payments that wait because the outcome of a refund of all that is left of the first is unknown.
func (sim *simulation) undecided(ctx context.Context) (n int) {
	for _, o := range sim.schedule.Orders {
		if o.Of == "" {
			continue
		}
		for _, id := range []string{o.ID, o.Of} {
			inv, err := sim.bus.Load(ctx, events.Key{Shop: o.shop(), Invoice: id})
			underWay := slices.ContainsFunc(inv.Refunds, events.Refund.UnderWay)
			if err == nil && inv.Can(events.EventRefunding) && inv.Remaining().Sign() == 0 && !underWay {
				n++
			}
		}
	}
	return n
}

// durables gives by stream the durables of the workers that make and end invoices. Each has another one for replayed messages.
func durables() map[string][]string {
	out := map[string][]string{}
	for _, c := range consumers() {
		out[c.Stream] = append(out[c.Stream], c.Name)
		out[events.ParkedStream] = append(out[events.ParkedStream], c.Name+"-replay")
	}
	return out
}

// notifierDurables gives those of the notifier. What they have may wait for a destination.
func (sim *simulation) notifierDurables() map[string][]string {
	out := map[string][]string{}
	for _, c := range notifier.Consumers(sim.schedule.connections()) {
		out[c.Stream] = append(out[c.Stream], c.Name)
	}
	return out
}

// consumer says what one consumer has not finished.
type consumer struct {
	name            string
	waiting, leased int
	keeps           bool // it may lease a message for as long as it takes
	err             error
}

// firstConsumer gives the first of the durables that fits, or nil. It stops there: asking about each costs the broker time, and all simulations
// ask.
func (sim *simulation) firstConsumer(ctx context.Context, durables map[string][]string, fits func(consumer) bool) *consumer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for stream, names := range durables {
		for _, name := range names {
			one := consumer{name: name}
			c, err := sim.js.Consumer(ctx, stream, name)
			if one.err = err; err == nil {
				i := c.CachedInfo()
				one.waiting, one.leased = int(i.NumPending), i.NumAckPending
			}
			switch name {
			case "poller", "canceler", "refunder", "refunder-canceled", "refunder-paid", "refunder-released", "refunder-unattended":
				one.keeps = true
			}
			if fits(one) {
				return &one
			}
		}
	}
	return nil
}
