package certify

import (
	"context"
	"sync"
	"time"
)

// timeline is the procedure's time: the wall clock, and what was skipped by moving a sandbox's clock.
type timeline struct {
	mu    sync.Mutex
	skips []skip
}

type skip struct {
	at time.Time
	d  time.Duration
}

// of gives the procedure's time at an instant of the wall clock.
func (t *timeline) of(at time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := time.Duration(0)
	for _, s := range t.skips {
		if !s.at.After(at) {
			sum += s.d
		}
	}
	return at.Add(sum)
}

// skipped says that the provider's clock has just been moved. What began before does not count as later.
func (t *timeline) skipped(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skips = append(t.skips, skip{time.Now(), d})
}

// sleep is the wait of a provider whose clock nobody can move.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
