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
// each AckWait that it is still worked on. One of Done, GiveBack or Park ends it. A copy that dies, stands still or is cut off
// loses it to another, and a lease that was lost stays lost: none of the three says anything to the broker then.
type Lease struct {
	Delivery
	keeper *keeper
	seq    uint64 // of the message itself, or of the wish to replay one
	slot   int
	replay bool
	msg    atomic.Pointer[jetstream.Msg] // the newest delivery of the message
	told   atomic.Pointer[time.Time]     // when the broker was told, by the last time that it is known to have heard
	over   atomic.Bool                   // it was lost
	ended  atomic.Bool
}

// beats is how often the broker is told within AckWait that a message is being worked on.
const beats = 3

// keeperSlots is in how many portions one round of heartbeats is sent.
const keeperSlots = 20

// keeper sends the heartbeats of all leases of one consumer.
type keeper struct {
	bus     *Bus
	spec    Consumer
	replays bool // its messages are wishes to replay what was parked

	mu    sync.Mutex
	held  map[uint64]*Lease // by the consumer's stream sequence
	slots [keeperSlots]map[*Lease]struct{}
	at    int

	asking sync.WaitGroup
}

func newKeeper(b *Bus, c Consumer, replays bool) *keeper {
	k := &keeper{bus: b, spec: c, replays: replays, held: map[uint64]*Lease{}}
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
	now := time.Now()
	if l := k.held[d.Seq]; l != nil && l.lost() {
		k.remove(l) // the new delivery is a lease of its own
	} else if l != nil {
		l.msg.Store(&m)
		l.told.Store(&now)
		return nil
	}
	l := &Lease{Delivery: d, keeper: k, replay: k.replays, seq: d.Seq, slot: (k.at + keeperSlots - 1) % keeperSlots}
	l.msg.Store(&m)
	l.told.Store(&now)
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
	k.remove(l)
	return true
}

// remove is called with mu held.
func (k *keeper) remove(l *Lease) {
	l.ended.Store(true)
	if k.held[l.seq] == l {
		delete(k.held, l.seq)
	}
	delete(k.slots[l.slot], l)
}

// run sends heartbeats until ctx ends.
func (k *keeper) run(ctx context.Context) {
	defer k.asking.Wait()
	t := time.NewTicker(k.spec.AckWait / beats / keeperSlots)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			k.beat(ctx)
		}
	}
}

// beat tells the broker of one portion of the leases. Those that were lost are told of no more: the broker would take it for
// the word of the copy that has them now, and keep them for that one even when it is dead.
func (k *keeper) beat(ctx context.Context) {
	k.mu.Lock()
	due := make([]*Lease, 0, len(k.slots[k.at]))
	for l := range k.slots[k.at] {
		if l.lost() {
			k.remove(l)
		} else {
			due = append(due, l)
		}
	}
	k.at = (k.at + 1) % keeperSlots
	k.mu.Unlock()
	if len(due) > 0 {
		k.tell(ctx, due)
	}
}

// tell sends a heartbeat for each lease. That the connection takes it proves nothing: a broker that cannot be
// reached is noticed seconds later. So the last of them is a request, and all count, from when they were sent, once the
// broker has answered it: it has had those before by then.
func (k *keeper) tell(ctx context.Context, due []*Lease) {
	sent, msgs := time.Now(), make([]*jetstream.Msg, len(due))
	for i, l := range due {
		msgs[i] = l.msg.Load()
		if i < len(due)-1 {
			_ = (*msgs[i]).InProgress() // without an answer to the last none of them counts
		}
	}
	last := *msgs[len(due)-1]
	k.asking.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, k.spec.AckWait/2)
		defer cancel()
		if _, err := k.bus.nc.RequestWithContext(ctx, last.Reply(), progress); err != nil {
			return
		}
		for i, l := range due {
			if l.msg.Load() == msgs[i] && !l.lost() {
				l.told.Store(&sent)
			}
		}
	})
}

// progress says that a message is being worked on.
var progress = []byte("+WPI")

// lost says that the broker may have given the message to another copy, because it has not heard of it for so long, or that the lease has ended. It stays
// so; the message may come to this copy again, as another lease. Both clocks count: one of them may stand still while the machine
// sleeps, the other may be set back.
func (l *Lease) lost() bool {
	told, now, most := *l.told.Load(), time.Now(), l.keeper.spec.AckWait*9/10
	if now.Sub(told) > most || now.Round(0).Sub(told.Round(0)) > most {
		l.over.Store(true)
	}
	return l.over.Load() || l.ended.Load()
}

// Lost says that the lease is over: another copy may have the message.
func (l *Lease) Lost() bool { return l.lost() }

// Done acknowledges the message and waits for the broker's confirmation. Without it the message comes again.
func (l *Lease) Done(ctx context.Context) {
	if l.end() {
		l.keeper.bus.acknowledge(ctx, *l.msg.Load())
	}
}

// GiveBack lets another copy have the message after a pause; none is at once.
func (l *Lease) GiveBack(after time.Duration) {
	if l.end() {
		_ = (*l.msg.Load()).NakWithDelay(after)
	}
}

// end ends the lease; false means that it was over already, so that this copy has no say.
func (l *Lease) end() bool {
	lost := l.lost()
	return l.keeper.forget(l) && !lost
}

// Drop ends the lease without a word to the broker.
func (l *Lease) Drop() { l.keeper.forget(l) }

// Park keeps the message on PARKED with the reason. When that fails the lease goes on. Of a lease that was lost nothing is
// parked: the copy that has the message decides.
func (l *Lease) Park(ctx context.Context, attempts int, reason error) error {
	if l.lost() {
		l.Drop()
		return nil
	}
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
	return b.consume(ctx, c, func(ctx context.Context, l *Lease) {
		if !l.replay {
			take(l)
			return
		}
		go func() { // a person's wish, rare: the message that was parked has to be fetched
			switch err := l.fetch(ctx); {
			case errors.Is(err, errNotOurs):
				l.Done(context.WithoutCancel(ctx))
			case err != nil:
				b.log.Warn().Err(err).Str("subject", l.Subject).Msg("a replayed message cannot be read")
				l.GiveBack(c.Backoff.Most)
			default:
				take(l)
			}
		}()
	}, stop)
}

// leaseBatch is how many messages are asked for at once; they come without bodies.
const leaseBatch = 1000

// consume gives a lease of each of the consumer's messages, and of those that a person has sent back to it, to arrive, until ctx
// ends, then calls stop. Heartbeats go on until that returns.
func (b *Bus) consume(ctx context.Context, c Consumer, arrive func(context.Context, *Lease), stop func()) error {
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	var keepers sync.WaitGroup
	defer keepers.Wait()
	defer end()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.watchClock(gctx) })
	for _, spec := range []Consumer{c, c.replays()} {
		k := newKeeper(b, c, spec.Stream != c.Stream)
		keepers.Go(func() { k.run(alive) })
		g.Go(func() error {
			return b.receive(gctx, spec, func(m jetstream.Msg) {
				if l := k.lease(gctx, m); l != nil {
					arrive(gctx, l)
				}
			})
		})
	}
	g.Go(func() error { return b.advised(gctx, c) })
	err := g.Wait()
	stop()
	return err
}

// fetch completes the delivery: its body, or the message that was parked in the place of the wish to replay it. The error is
// errNotOurs for a record that is no wish for this consumer.
func (l *Lease) fetch(ctx context.Context) (err error) {
	b := l.keeper.bus
	if err = b.body(ctx, &l.Delivery); err == nil && l.replay {
		l.Delivery, err = b.original(ctx, l.keeper.spec, l.Delivery)
	}
	return err
}
