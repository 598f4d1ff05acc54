package chaos

import (
	"context"
	"time"
)

// runClock lets time go by, but not so fast that a payment is reversed before a poller could fetch it.
func (w *world) runClock() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-w.closing:
			return
		case <-t.C:
		}
		w.money.Lock()
		if !w.waiting(unfetched) {
			w.sandbox.Advance(tick)
		}
		w.money.Unlock()
	}
}

// waiting says whether a payment has waited so long to be fetched.
func (w *world) waiting(most time.Duration) bool {
	l := w.sandbox.Ledger()
	for _, p := range l.Payments {
		if p.FetchedAt.IsZero() && p.ReversedAt.IsZero() && l.At.Sub(p.At) >= most {
			return true
		}
	}
	return false
}

// jump moves time, once no payment waits to be fetched.
func (w *world) jump(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, w.patience/4)
	defer cancel()
	for ctx.Err() == nil {
		w.money.Lock()
		if !w.waiting(0) {
			w.sandbox.Advance(d)
			w.money.Unlock()
			w.note("%s later", d)
			return
		}
		w.money.Unlock()
		pause(ctx, tickEvery)
	}
	w.fault("a payment was never fetched")
}

// end brings the world to rest: the buyers' time runs out, the last messages come, everything works again.
func (w *world) end(ctx context.Context) {
	w.rest(ctx)
	w.jump(ctx, validFor+time.Minute)
	w.rest(ctx)
	close(w.flush)
	w.steps.Wait()
	w.rest(ctx)
	w.mu.Lock()
	w.noMoreDeaths, w.unreachable = true, nil
	w.mu.Unlock()
	if err := w.sandbox.SetFaults(nil); err != nil {
		w.fault("faults: %v", err)
	}
	w.jump(ctx, lifetime+time.Hour)
	w.settle(ctx)
}
