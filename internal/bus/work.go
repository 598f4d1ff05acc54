package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// Work gives every message of the consumer to handle, until ctx ends. Then it stops fetching, lets
// the handlers at work finish within the grace period, and gives the rest back.
func (b *Bus) Work(ctx context.Context, c Consumer, handle Handler) error {
	c = b.withDefaults(c)
	w := &work{bus: b, spec: c, handle: handle, slots: make(chan struct{}, c.Concurrency), tries: map[uint64]tries{}, turns: turns{of: map[string]*turn{}}}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return w.run(gctx, c, func(_ context.Context, d Delivery) (Delivery, error) { return d, nil })
	})
	g.Go(func() error {
		return w.run(gctx, c.replays(), func(ctx context.Context, d Delivery) (Delivery, error) { return b.original(ctx, c, d) })
	})
	g.Go(func() error { return b.advised(gctx, c) })
	return g.Wait()
}

type work struct {
	bus    *Bus
	spec   Consumer
	handle Handler
	slots  chan struct{}
	turns  turns

	mu    sync.Mutex
	tries map[uint64]tries
}

// tries of one message by this copy. They may be forgotten, as they are at a restart: that only adds attempts.
type tries struct{ failed, held int }

// maxTries bounds what is remembered of messages that another copy has settled.
const maxTries = 10_000

// run hands the messages of one consumer to handlers; unwrap finds the message that is meant.
func (w *work) run(ctx context.Context, c Consumer, unwrap func(context.Context, Delivery) (Delivery, error)) error {
	inHand, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	var handlers sync.WaitGroup
	waits := newWaits(max(1, w.spec.Concurrency/2))
	err := w.bus.receive(ctx, c, len(waits.last), func(m jetstream.Msg) {
		if waits.begin(time.Now()) > w.bus.cfg.AckWait/2 {
			waits.end(time.Now())
			return // another copy may have it by now; if none has, it comes again
		}
		defer func() { waits.end(time.Now()) }()
		beating, stop := context.WithCancel(inHand)
		go w.bus.beat(beating, m)
		select {
		case <-ctx.Done():
			stop()
			_ = m.Nak() // another copy may have it at once
			return
		case w.slots <- struct{}{}:
		}
		handlers.Go(func() {
			defer func() { <-w.slots }()
			defer stop()
			w.one(inHand, m, unwrap)
		})
	})
	finished := make(chan struct{})
	go func() { handlers.Wait(); close(finished) }()
	t := time.NewTimer(w.spec.Grace)
	defer t.Stop()
	select {
	case <-finished:
	case <-t.C:
		abandon()
		<-finished
	}
	return err
}

// waits knows how long a message may have lain in the client's buffer, where nobody tells the broker that it is held:
// no longer than the messages took that were given out while it did, and not at all if there was a pause before it.
type waits struct {
	last         []time.Duration
	next         int
	sum          time.Duration
	begun, ended time.Time
}

// emptied is the pause between two messages after which the buffer was certainly empty.
const emptied = 20 * time.Millisecond

func newWaits(buffered int) *waits { return &waits{last: make([]time.Duration, buffered)} }

// begin is called when a message is given out, and says how long it may have lain.
func (w *waits) begin(now time.Time) time.Duration {
	if now.Sub(w.ended) > emptied {
		clear(w.last)
		w.sum = 0
	}
	w.begun = now
	return w.sum
}

// end is called when the next can be given out.
func (w *waits) end(now time.Time) {
	took := now.Sub(w.begun)
	w.sum += took - w.last[w.next]
	w.last[w.next] = took
	w.next = (w.next + 1) % len(w.last)
	w.ended = now
}

func (w *work) one(ctx context.Context, m jetstream.Msg, unwrap func(context.Context, Delivery) (Delivery, error)) {
	d, err := deliveryOf(m)
	if err == nil {
		d, err = unwrap(ctx, d)
	}
	switch {
	case errors.Is(err, errNotOurs):
		w.bus.acknowledge(ctx, m)
		return
	case err != nil:
		w.settle(ctx, d, Hold(err), m)
		return
	}
	defer w.turns.take(d.Subject)()
	begun := time.Now()
	o := w.handle(WithTrace(ctx, d.TraceParent()), d)
	w.bus.metrics.handled(w.spec.Worker, o.kind, time.Since(begun))
	w.settle(ctx, d, o, m)
}

// settle does what the outcome says. A settlement that fails leaves the message unacknowledged: it
// comes again, and every handler bears that.
func (w *work) settle(ctx context.Context, d Delivery, o Outcome, m jetstream.Msg) {
	t := w.tried(d.Seq, o.kind)
	if o.kind == retry && t.failed >= w.spec.Attempts {
		o.kind = park
	}
	log := w.bus.log.Debug()
	if o.kind == retry || o.kind == park {
		log = w.bus.log.Warn()
	}
	log.Str("worker", w.spec.Worker).Str("subject", d.Subject).Uint64("seq", d.Seq).Str("outcome", string(o.kind)).
		Int("attempt", t.failed).Err(o.err).Msg("handled")
	switch o.kind {
	case done:
		w.bus.acknowledge(ctx, m)
	case park:
		if err := w.bus.park(ctx, w.spec, d, t.failed, o.err); err != nil {
			w.bus.log.Error().Err(err).Str("subject", d.Subject).Msg("parking")
			_ = m.NakWithDelay(w.spec.Backoff.Most)
			return
		}
		w.bus.acknowledge(ctx, m)
	case retry:
		_ = m.NakWithDelay(w.spec.Backoff.after(t.failed))
	case hold:
		if o.after == 0 {
			o.after = w.spec.Backoff.after(t.held)
		}
		_ = m.NakWithDelay(min(o.after, w.spec.Backoff.Most))
	}
}

// tried counts the outcome and forgets the message once it is settled.
func (w *work) tried(seq uint64, k kind) tries {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tries[seq]
	if len(w.tries) >= maxTries {
		clear(w.tries)
	}
	switch k {
	case retry:
		t.failed++
	case hold:
		t.held++
	case park:
		t.failed++
		delete(w.tries, seq)
		return t
	case done:
		delete(w.tries, seq)
		return t
	}
	if w.tries[seq] = t; t.failed >= w.spec.Attempts {
		delete(w.tries, seq)
	}
	return t
}

// beat tells the broker that the message is being worked on.
func (b *Bus) beat(ctx context.Context, m jetstream.Msg) {
	t := time.NewTicker(b.cfg.AckWait / beats)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_ = m.InProgress()
		}
	}
}

// acknowledge waits for the broker's word. Without it the message comes again.
func (b *Bus) acknowledge(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := m.DoubleAck(ctx); err != nil {
		b.log.Warn().Err(err).Str("subject", m.Subject()).Msg("acknowledgement not confirmed; the message will come again")
	}
}
