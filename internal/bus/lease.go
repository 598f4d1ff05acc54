package bus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// Lease is a delivery that this copy keeps unacknowledged for as long as its work takes. The bus tells the broker within
// each AckWait that it is still worked on. One of Done, GiveBack or Park ends it; a copy that dies loses it to another.
type Lease struct {
	Delivery
	keeper *keeper
	seq    uint64 // of the message itself, or of the wish to replay one
	slot   int
	replay bool
	msg    atomic.Pointer[jetstream.Msg] // the newest delivery of the message
	beaten atomic.Int64                  // when the broker was last told, Unix nanoseconds
	ended  atomic.Bool
}

// beats is how often the broker is told within AckWait that a message is being worked on.
const beats = 3

// keeperSlots is in how many portions one round of heartbeats is sent.
const keeperSlots = 20

// keeper sends the heartbeats of all leases of one consumer.
type keeper struct {
	bus  *Bus
	spec Consumer

	mu    sync.Mutex
	held  map[uint64]*Lease // by the consumer's stream sequence
	slots [keeperSlots]map[*Lease]struct{}
	at    int
}

func newKeeper(b *Bus, c Consumer) *keeper {
	k := &keeper{bus: b, spec: c, held: map[uint64]*Lease{}}
	for i := range k.slots {
		k.slots[i] = map[*Lease]struct{}{}
	}
	return k
}

// lease takes a delivery over. It is nil once ctx has ended, and for a message that is held already because the broker gave
// it out again: then the newer delivery is kept under the lease that exists.
func (k *keeper) lease(ctx context.Context, m jetstream.Msg) *Lease {
	if ctx.Err() != nil {
		_ = m.Nak()
		return nil
	}
	d, err := deliveryOf(m)
	if err != nil {
		k.bus.log.Error().Err(err).Str("subject", m.Subject()).Msg("a message that is no delivery of a consumer")
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.held[d.Seq]; l != nil {
		l.msg.Store(&m)
		l.beaten.Store(time.Now().UnixNano())
		return nil
	}
	l := &Lease{Delivery: d, keeper: k, seq: d.Seq, slot: (k.at + keeperSlots - 1) % keeperSlots}
	l.msg.Store(&m)
	l.beaten.Store(time.Now().UnixNano())
	k.held[d.Seq] = l
	k.slots[l.slot][l] = struct{}{}
	return l
}

func (k *keeper) forget(l *Lease) bool {
	if l.ended.Swap(true) {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.held, l.seq)
	delete(k.slots[l.slot], l)
	return true
}

// run sends heartbeats until ctx ends.
func (k *keeper) run(ctx context.Context) {
	t := time.NewTicker(k.spec.AckWait / beats / keeperSlots)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			k.beat()
		}
	}
}

func (k *keeper) beat() {
	k.mu.Lock()
	due := make([]*Lease, 0, len(k.slots[k.at]))
	for l := range k.slots[k.at] {
		due = append(due, l)
	}
	k.at = (k.at + 1) % keeperSlots
	k.mu.Unlock()
	connected := k.bus.nc.IsConnected()
	for _, l := range due {
		if err := (*l.msg.Load()).InProgress(); err == nil && connected {
			l.beaten.Store(time.Now().UnixNano())
		}
	}
}

// lost says that the broker was not told for so long that another copy may have the message by now.
func (l *Lease) lost() bool {
	return time.Since(time.Unix(0, l.beaten.Load())) > l.keeper.spec.AckWait*9/10
}

// Done acknowledges the message and waits for the broker's confirmation. Without it the message comes again.
func (l *Lease) Done(ctx context.Context) {
	if l.keeper.forget(l) {
		l.keeper.bus.acknowledge(ctx, *l.msg.Load())
	}
}

// GiveBack lets another copy have the message after a pause; none is at once.
func (l *Lease) GiveBack(after time.Duration) {
	if l.keeper.forget(l) {
		_ = (*l.msg.Load()).NakWithDelay(after)
	}
}

// drop ends a lease that was lost: the broker has given the message to somebody else, or will.
func (l *Lease) drop() { l.keeper.forget(l) }

// Park keeps the message on PARKED with the reason. When that fails the lease goes on.
func (l *Lease) Park(ctx context.Context, attempts int, reason error) error {
	if err := l.keeper.bus.park(ctx, l.keeper.spec, l.Delivery, attempts, reason); err != nil {
		return err
	}
	l.Done(ctx)
	return nil
}

// Lease gives every message of the consumer to take, which must not block, until ctx ends; a message that comes after
// that goes back to the broker. take owns the lease from then on. A replayed message is leased too: its Delivery is that
// of the message that was parked. stop is called when no message comes any more; leases are kept alive until it returns.
func (b *Bus) Lease(ctx context.Context, c Consumer, take func(*Lease), stop func()) error {
	c = b.withDefaults(c)
	b.metrics.counts(c.Worker)
	return b.consume(ctx, c, func(ctx context.Context, k *keeper, spec Consumer, m jetstream.Msg) {
		b.leaseOne(ctx, k, spec, m, take)
	}, stop)
}

// leaseBatch is how many messages are asked for at once; they come without bodies.
const leaseBatch = 1000

// consume receives the consumer's messages, and those that a person has sent back to it, until ctx ends, then calls stop.
// Heartbeats go on until that returns.
func (b *Bus) consume(ctx context.Context, c Consumer, arrive func(context.Context, *keeper, Consumer, jetstream.Msg), stop func()) error {
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	var keepers sync.WaitGroup
	defer keepers.Wait()
	defer end()
	g, gctx := errgroup.WithContext(ctx)
	for _, spec := range []Consumer{c, c.replays()} {
		k := newKeeper(b, c)
		keepers.Go(func() { k.run(alive) })
		g.Go(func() error {
			return b.receive(gctx, spec, func(m jetstream.Msg) { arrive(gctx, k, spec, m) })
		})
	}
	g.Go(func() error { return b.advised(gctx, c) })
	g.Go(func() error { return b.watchClock(gctx) })
	err := g.Wait()
	stop()
	return err
}

func (b *Bus) leaseOne(ctx context.Context, k *keeper, spec Consumer, m jetstream.Msg, take func(*Lease)) {
	l := k.lease(ctx, m)
	if l == nil {
		return
	}
	if spec.Stream != k.spec.Stream {
		go func() { // a person's wish, rare: its original has to be read
			switch ok, err := b.replayed(ctx, k.spec, l); {
			case err != nil:
				b.log.Warn().Err(err).Str("subject", m.Subject()).Msg("a replayed message cannot be read")
				l.GiveBack(k.spec.Backoff.Most)
			case ok:
				take(l)
			}
		}()
		return
	}
	take(l)
}

// replayed puts the message that was parked in the place of the wish to replay it; a record that is no wish for this
// consumer is acknowledged.
func (b *Bus) replayed(ctx context.Context, c Consumer, l *Lease) (ok bool, err error) {
	if err = b.body(ctx, &l.Delivery); err == nil {
		l.Delivery, err = b.original(ctx, c, l.Delivery)
	}
	if errors.Is(err, errNotOurs) {
		l.Done(context.WithoutCancel(ctx))
		return false, nil
	}
	return err == nil, err
}
