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
// each AckWait that the message is still worked on. Done, GiveBack, Park or Drop ends the lease. A copy that dies, stands still or is
// cut off loses it to another copy, and a lease that was lost stays lost: none of these says anything to the broker then. It is
// safe for concurrent use.
type Lease struct {
	Delivery
	keeper *keeper
	seq    uint64 // of the message as the consumer delivers it: for a replay that of the record on PARKED
	slot   int
	replay bool
	msg    atomic.Pointer[jetstream.Msg] // the newest delivery of the message
	told   atomic.Pointer[time.Time]     // when the newest heartbeat was sent that the broker is known to have
	over   atomic.Bool                   // the lease was lost
	ended  atomic.Bool
}

// beats is how many heartbeats of each lease are sent within AckWait.
const beats = 3

// keeperSlots is the number of portions in which one round of heartbeats is sent.
const keeperSlots = 20

// keeper sends the heartbeats of all leases of one consumer.
type keeper struct {
	bus     *Bus
	spec    Consumer
	replays bool // the messages are records of PARKED that have something replayed

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

// lease makes a lease of a delivery. It is nil once ctx has ended, and for a message that has a lease already, because the broker
// delivered it again: then the newer delivery is kept under that lease.
func (k *keeper) lease(ctx context.Context, m jetstream.Msg) *Lease {
	if ctx.Err() != nil {
		_ = m.Nak()
		return nil
	}
	e, meta, err := entryOfDelivery(m)
	if err != nil {
		k.bus.log.Error().Err(err).Str("subject", m.Subject()).Msg("a message that is no delivery of a consumer")
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if l := k.held[e.Seq]; l != nil && l.Lost() {
		k.remove(l) // the new delivery is a lease of its own
	} else if l != nil {
		l.msg.Store(&m)
		l.told.Store(&now)
		return nil
	}
	l := &Lease{
		Delivery: Delivery{Entry: e, Redelivered: meta.NumDelivered > 1}, keeper: k, replay: k.replays, seq: e.Seq,
		slot: (k.at + keeperSlots - 1) % keeperSlots,
	}
	l.msg.Store(&m)
	l.told.Store(&now)
	k.held[e.Seq] = l
	k.slots[l.slot][l] = struct{}{}
	return l
}

// forget ends the lease; false means that it had ended before.
func (k *keeper) forget(l *Lease) bool {
	if l.ended.Swap(true) {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(l)
	return true
}

// remove ends the lease. It is called with mu held.
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

// beat sends the heartbeats of one portion of the leases, but of none that was lost: the broker would take it for a heartbeat of
// the copy that has the message now, and keep the message for that copy even when it is dead.
func (k *keeper) beat(ctx context.Context) {
	k.mu.Lock()
	due := make([]*Lease, 0, len(k.slots[k.at]))
	for l := range k.slots[k.at] {
		if l.Lost() {
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

// tell sends a heartbeat of each lease. That the connection takes it proves nothing: it is noticed only seconds later that a broker
// cannot be reached. So the last heartbeat is a request. Once the broker has answered it, it has had those before too, and all
// count from when they were sent.
func (k *keeper) tell(ctx context.Context, due []*Lease) {
	sent, msgs := time.Now(), make([]*jetstream.Msg, len(due))
	for i, l := range due {
		msgs[i] = l.msg.Load()
		if i < len(due)-1 {
			_ = (*msgs[i]).InProgress() // without an answer to the last heartbeat none of them counts
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
			if l.msg.Load() == msgs[i] && !l.Lost() {
				l.told.Store(&sent)
			}
		}
	})
}

// progress is the body of a heartbeat.
var progress = []byte("+WPI")

// Lost says whether the lease has ended, or the broker may have given the message to another copy because it has had no heartbeat
// for nine tenths of AckWait. A lease that was lost stays lost; the message may come to this copy again, under another lease.
func (l *Lease) Lost() bool {
	// Both readings of the clock count: the monotonic one may stand still while the machine sleeps, the other may be set back.
	told, now, most := *l.told.Load(), time.Now(), l.keeper.spec.AckWait*9/10
	if now.Sub(told) > most || now.Round(0).Sub(told.Round(0)) > most {
		l.over.Store(true)
	}
	return l.over.Load() || l.ended.Load()
}

// Done ends the lease: it acknowledges the message and waits up to 5 s for the broker's confirmation. Without that the message
// comes again.
func (l *Lease) Done(ctx context.Context) {
	if l.end() {
		l.keeper.bus.acknowledge(ctx, *l.msg.Load())
	}
}

// GiveBack ends the lease: the broker delivers the message again, to whichever copy asks, after the pause; 0 is at once.
func (l *Lease) GiveBack(after time.Duration) {
	if l.end() {
		_ = (*l.msg.Load()).NakWithDelay(after)
	}
}

// end ends the lease; false means that it was lost or had ended before, so that this copy may say nothing to the broker.
func (l *Lease) end() bool {
	lost := l.Lost()
	return l.keeper.forget(l) && !lost
}

// Drop ends the lease and says nothing to the broker, which delivers the message again after AckWait.
func (l *Lease) Drop() { l.keeper.forget(l) }

// Park ends the lease: it keeps the message on PARKED with the reason, and acknowledges it. If it cannot be kept there, the lease
// goes on and the error says why. If the lease was lost nothing is parked: the copy that has the message decides.
func (l *Lease) Park(ctx context.Context, attempts int, reason error) error {
	if l.Lost() {
		l.Drop()
		return nil
	}
	if err := l.KeepParked(ctx, attempts, reason); err != nil {
		return err
	}
	l.Done(ctx)
	return nil
}

// KeepParked keeps the message on PARKED with the reason. The lease goes on.
func (l *Lease) KeepParked(ctx context.Context, attempts int, reason error) error {
	return l.keeper.bus.park(ctx, l.keeper.spec, l.Delivery, attempts, reason)
}

// Fetch completes the delivery with its body, which a consumer leaves at the broker.
func (l *Lease) Fetch(ctx context.Context) error { return l.keeper.bus.body(ctx, &l.Delivery) }

// Lease gives a lease of every message of the consumer to take, which must not block, until ctx ends; a message that comes after
// that goes back to the broker. take may be called concurrently, and has to see that the lease is ended. A replayed message is
// leased too: its Delivery is that of the message that was parked. stop is called when no message comes any more, and has to end what
// leases are left: heartbeats go on until it returns. The error is of the broker and will not pass by itself.
func (b *Bus) Lease(ctx context.Context, c Consumer, take func(*Lease), stop func()) error {
	c = b.withDefaults(c)
	b.metrics.counts(c.Worker)
	return b.consume(ctx, c, func(ctx context.Context, l *Lease) {
		if !l.replay {
			take(l)
			return
		}
		go func() { // rare: the message that was parked has to be fetched
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

// consume gives a lease of each of the consumer's messages, and of each replayed one, to arrive, until ctx ends, then calls stop.
// Heartbeats go on until that returns.
func (b *Bus) consume(ctx context.Context, c Consumer, arrive func(context.Context, *Lease), stop func()) error {
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	var keepers sync.WaitGroup
	defer keepers.Wait()
	defer end()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.watchClock(gctx) })
	for _, spec := range []Consumer{c, c.Replays()} {
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
	g.Go(func() error { return b.parkGivenUp(gctx, c) })
	err := g.Wait()
	stop()
	return err
}

// fetch completes the delivery: with its body, or, for a record of PARKED that has a message replayed, by that message. The error is
// errNotOurs for another record.
func (l *Lease) fetch(ctx context.Context) (err error) {
	b := l.keeper.bus
	if err = b.body(ctx, &l.Delivery); err == nil && l.replay {
		l.Delivery, err = b.original(ctx, l.keeper.spec, l.Delivery)
	}
	return err
}
