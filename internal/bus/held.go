package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// HeartbeatEvery is how often the holder of a message has to call Heartbeat.
func (b *Bus) HeartbeatEvery() time.Duration { return b.cfg.AckWait / beats }

// Held is a delivery that its taker keeps unacknowledged for as long as the work takes. One of Done,
// GiveBack or Park ends it; a holder that dies loses it to another copy.
type Held struct {
	Delivery
	bus  *Bus
	spec Consumer
}

// Hold gives every invoice that the consumer's messages issue to take, which must not block, until ctx ends. What
// comes after that goes back to the broker. Of a long backlog, as a new consumer has, invoices that have ended are
// acknowledged here: asking the provider about all of them first would leave the open ones to be reversed.
func (b *Bus) Hold(ctx context.Context, c Consumer, take func(Held)) error {
	c = b.withDefaults(c)
	replays := c.replays()
	h := history{bus: b, spec: c}
	c.ready = h.read
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return b.receive(gctx, c, holdBatch, func(m jetstream.Msg) {
			if !h.skips(m) {
				b.held(gctx, c, m, take, false)
			}
		})
	})
	g.Go(func() error {
		return b.receive(gctx, replays, 1, func(m jetstream.Msg) { b.held(gctx, c, m, take, true) })
	})
	g.Go(func() error { return b.advised(gctx, c) })
	return g.Wait()
}

const holdBatch = 1000

func (b *Bus) held(ctx context.Context, c Consumer, m jetstream.Msg, take func(Held), replay bool) {
	if ctx.Err() != nil {
		_ = m.Nak()
		return
	}
	d, err := deliveryOf(m)
	if err == nil && replay {
		d, err = b.original(ctx, c, d)
	}
	switch {
	case errors.Is(err, errNotOurs):
		b.acknowledge(context.WithoutCancel(ctx), m)
	case err != nil:
		_ = m.NakWithDelay(c.Backoff.Most)
	default:
		take(Held{d, b, c})
	}
}

// Heartbeat tells the broker that the message is still held.
func (h Held) Heartbeat() { _ = h.msg.InProgress() }

// Done acknowledges the message and waits for the broker's word.
func (h Held) Done(ctx context.Context) { h.bus.acknowledge(ctx, h.msg) }

// GiveBack lets another copy have the message at once.
func (h Held) GiveBack() { _ = h.msg.Nak() }

// Park keeps the message on PARKED; when that fails it stays held.
func (h Held) Park(ctx context.Context, reason error) error {
	if err := h.bus.park(ctx, h.spec, h.Delivery, 1, reason); err != nil {
		return err
	}
	h.Done(ctx)
	return nil
}
