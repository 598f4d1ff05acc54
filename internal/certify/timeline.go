package certify

import (
	"context"
	"sync"
	"time"
)

// timeline is the procedure's time: the wall clock plus the time that was skipped by moving a sandbox's clock.
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

// skipped notes that the provider's clock has just been moved by d. It counts for what begins from now on.
func (t *timeline) skipped(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skips = append(t.skips, skip{time.Now(), d})
}

// sleep waits at a provider whose clock cannot be moved.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
