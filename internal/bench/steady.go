package bench

import (
	"context"
	"errors"
	"math"
	"strconv"
	"sync"
	"time"
)

// steadyShop is a shop with an event at a steady rate, each of an invoice of its own, and a system that is told of them.
type steadyShop struct {
	*fixture
	shop   string
	rate   int // events a second
	system *receiver

	mu     sync.Mutex
	phases [][]recorded // what is recorded now belongs to the last one
}

// recorded is an event.
type recorded struct {
	invoice string
	at      time.Time
}

// run records the events until ctx ends.
func (s *steadyShop) run(ctx context.Context) error {
	err := atRate(ctx, math.MaxInt, s.rate, func(ctx context.Context, i int, _ time.Time) error {
		id := strconv.Itoa(i)
		if err := s.recordIssued(context.WithoutCancel(ctx), order(s.shop, id)); err != nil { // what was begun counts
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		last := &s.phases[len(s.phases)-1]
		*last = append(*last, recorded{id, time.Now()})
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// nextPhase begins a phase, and gives how many events were recorded before.
func (s *steadyShop) nextPhase() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.phases {
		n += len(p)
	}
	s.phases = append(s.phases, nil)
	return n
}

// toldAfter gives how long after it was recorded each event of a phase was told; 0 where it was told before the broker had answered.
func (s *steadyShop) toldAfter(phase int) Quantiles {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []time.Duration
	for _, e := range s.phases[phase] {
		all = append(all, max(0, s.system.toldAt(e.invoice).Sub(e.at)))
	}
	return quantiles(all)
}
