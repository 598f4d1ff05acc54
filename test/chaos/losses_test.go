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

// loss of a worker's durable, some time after the start. The workers make it anew by themselves.
type loss struct {
	Stream, Consumer string
	Delay            time.Duration
}

func (l loss) String() string {
	return fmt.Sprintf("the durable %s is lost after %s", l.Consumer, l.Delay)
}

// losses draws which durables are lost.
func (d dice) losses(s *schedule) {
	if !d.chance(15) {
		return
	}
	for range 1 + d.IntN(2) {
		c := pick(d, consumers()...)
		s.Losses = append(s.Losses, loss{c.Stream, c.Name, d.millis(600)})
	}
}

// lose the durable.
func (w *world) lose(ctx context.Context, l loss) {
	if !pause(ctx, l.Delay) {
		return
	}
	w.note("%s", l)
	c, err := w.js.Consumer(ctx, l.Stream, l.Consumer)
	if err != nil {
		return // lost already
	}
	if err := w.js.DeleteConsumer(ctx, l.Stream, l.Consumer); err != nil {
		w.note("losing %s: %v", l.Consumer, err)
	}
	if _, ok := w.makers[withoutHistory]; ok {
		cfg := c.CachedInfo().Config
		cfg.DeliverPolicy, cfg.OptStartTime, cfg.OptStartSeq = jetstream.DeliverNewPolicy, nil, 0
		_, err := w.js.CreateOrUpdateConsumer(ctx, l.Stream, cfg)
		w.note("a new %s takes only what is new: %s", l.Consumer, outcome(err))
	}
}

// borrow publishes under an id that others have used, once the broker has forgotten it.
func (w *world) borrow(ctx context.Context, publish func(id string) error) error {
	w.borrowing.Lock()
	defer w.borrowing.Unlock()
	defer func() { w.borrowed = time.Now() }()
	for try := 1; ; try++ {
		pause(ctx, time.Until(w.borrowed.Add(forgotten)))
		err := publish("1")
		if !errors.Is(err, bus.ErrIDTaken) || try == 5 {
			return err
		}
		w.borrowed = time.Now() // a busy broker forgets late
	}
}

// forgotten is longer than the broker remembers the ids of ORDERS.
const forgotten = 400 * time.Millisecond

// rememberIDs makes ORDERS remember ids for as long as the other streams do.
func (w *world) rememberIDs(ctx context.Context) {
	for _, cfg := range bus.Streams(1) {
		if cfg.Name == events.OrdersStream {
			cfg.Duplicates = 2 * time.Minute
			if _, err := w.js.UpdateStream(ctx, cfg); err != nil {
				w.fault("remembering ids: %v", err)
			}
		}
	}
}
