package bus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// readyFor is how long Ready may take: the request for it waits.
const readyFor = 2 * time.Second

// Ready says whether the work of these consumers can be done now: the broker is reached, has JetStream and the streams, this
// process receives each consumer's messages, and the broker takes what it writes, which may be tried under the process's name.
// The error says what is wrong. Without consumers only the broker, JetStream and writing are looked at. It takes 2 s at most.
func (b *Bus) Ready(ctx context.Context, process string, consumers []Consumer) error {
	if s := b.nc.Status(); s != nats.CONNECTED {
		return fmt.Errorf("broker: %s", s)
	}
	ctx, cancel := context.WithTimeout(ctx, readyFor)
	defer cancel()
	streams := []string{events.OpenStream} // every user may ask for its state
	if len(consumers) > 0 {
		streams = streamsOf(consumers)
	}
	for _, name := range streams {
		if _, err := b.js.Stream(ctx, name); err != nil {
			return fmt.Errorf("stream %s: %w", name, explain(b.denied(err)))
		}
	}
	for _, c := range consumers {
		for _, name := range []string{c.Name, c.replays().Name} {
			if !b.bound.has(name) {
				return fmt.Errorf("consumer %s: this process does not receive its messages", name)
			}
		}
		if _, err := b.js.Consumer(ctx, c.Stream, c.Name); err != nil {
			return fmt.Errorf("consumer %s of %s: %w", c.Name, c.Stream, explain(b.denied(err)))
		}
	}
	if err := b.writable(ctx, process, len(consumers) > 0); err != nil {
		return fmt.Errorf("the broker refuses what is written: %w", err)
	}
	return nil
}

// bound has the consumers whose messages this process receives now.
type bound struct {
	mu    sync.Mutex
	count map[string]int
}

func (s *bound) add(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[name] += n
}

func (s *bound) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[name] > 0
}
