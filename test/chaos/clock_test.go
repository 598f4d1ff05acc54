package chaos

import (
	"context"
	"time"
)

// runClock moves the time, but not so fast that a payment is reversed before a poller could fetch it.
func (sim *simulation) runClock() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-sim.closing:
			return
		case <-t.C:
		}
		sim.clock.Lock()
		if !sim.paymentWaits(unfetched) {
			sim.sandbox.Advance(tick)
		}
		sim.clock.Unlock()
	}
}

// paymentWaits says whether a payment has waited so long to be fetched.
func (sim *simulation) paymentWaits(most time.Duration) bool {
	l := sim.sandbox.Ledger()
	for _, p := range l.Payments {
		if p.FetchedAt.IsZero() && p.ReversedAt.IsZero() && l.At.Sub(p.At) >= most {
			return true
		}
	}
	return false
}

// advance moves the time once no payment waits to be fetched.
func (sim *simulation) advance(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, sim.patience/4)
	defer cancel()
	for ctx.Err() == nil {
		sim.clock.Lock()
		if !sim.paymentWaits(0) {
			sim.sandbox.Advance(d)
			sim.clock.Unlock()
			sim.logf("%s later", d)
			return
		}
		sim.clock.Unlock()
		pause(ctx, tickEvery)
	}
	sim.failf("a payment was never fetched")
}

// finish ends the schedule: the buyers' time runs out, the last messages come, everything works again.
func (sim *simulation) finish(ctx context.Context) {
	sim.waitUntilQuiet(ctx)
	sim.advance(ctx, validFor+time.Minute)
	sim.waitUntilQuiet(ctx)
	close(sim.finishing)
	sim.steps.Wait()
	sim.waitUntilQuiet(ctx)
	sim.mu.Lock()
	sim.noMoreInterruptions, sim.unreachable = true, nil
	sim.mu.Unlock()
	if err := sim.sandbox.SetFaults(nil); err != nil {
		sim.failf("faults: %v", err)
	}
	sim.systems.recover()
	sim.advance(ctx, lifetime+time.Hour)
	sim.waitUntilAcknowledged(ctx)
}
