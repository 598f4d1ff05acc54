package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// loss is that a worker's durable is deleted some time after the start. The workers make it anew by themselves.
type loss struct {
	Stream, Consumer string
	Delay            time.Duration
}

func (l loss) String() string {
	return fmt.Sprintf("the durable %s is lost after %s", l.Consumer, l.Delay)
}

// losses draws which durables are lost.
func (d draws) losses(s *schedule) {
	if !d.chance(15) {
		return
	}
	for range 1 + d.IntN(2) {
		c := pick(d, consumers()...)
		s.Losses = append(s.Losses, loss{c.Stream, c.Name, d.millis(600)})
	}
}

// loseConsumer deletes the durable.
func (sim *simulation) loseConsumer(ctx context.Context, l loss) {
	if !pause(ctx, l.Delay) {
		return
	}
	sim.logf("%s", l)
	c, err := sim.js.Consumer(ctx, l.Stream, l.Consumer)
	if err != nil {
		return // lost already
	}
	if err := sim.js.DeleteConsumer(ctx, l.Stream, l.Consumer); err != nil {
		sim.logf("losing %s: %v", l.Consumer, err)
	}
	if _, ok := sim.makers[withoutHistory]; ok {
		cfg := c.CachedInfo().Config
		cfg.DeliverPolicy, cfg.OptStartTime, cfg.OptStartSeq = jetstream.DeliverNewPolicy, nil, 0
		_, err := sim.js.CreateOrUpdateConsumer(ctx, l.Stream, cfg)
		sim.logf("a new %s takes only what is new: %s", l.Consumer, outcome(err))
	}
}

// publishUsedID publishes under an id that other messages have used, once the broker has forgotten it.
func (sim *simulation) publishUsedID(ctx context.Context, publish func(id string) error) error {
	sim.reuse.Lock()
	defer sim.reuse.Unlock()
	defer func() { sim.reusedAt = time.Now() }()
	for try := 1; ; try++ {
		pause(ctx, time.Until(sim.reusedAt.Add(idsForgotten)))
		err := publish("1")
		if !errors.Is(err, bus.ErrIDTaken) || try == 5 {
			return err
		}
		sim.reusedAt = time.Now() // a busy broker forgets late
	}
}

// idsForgotten is longer than the broker remembers the ids of ORDERS.
const idsForgotten = 400 * time.Millisecond

// keepIDsLong makes ORDERS remember ids for as long as the other streams do.
func (sim *simulation) keepIDsLong(ctx context.Context) {
	for _, cfg := range bus.Streams(1) {
		if cfg.Name == events.OrdersStream {
			cfg.Duplicates = 2 * time.Minute
			if _, err := sim.js.UpdateStream(ctx, cfg); err != nil {
				sim.failf("remembering ids: %v", err)
			}
		}
	}
}
