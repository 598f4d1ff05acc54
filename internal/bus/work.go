package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Work gives every message of the consumer to handle, until ctx ends. Then it stops fetching, lets the handlers at work finish within
// the grace period, whose end cancels their context, and gives the other messages back. The error is of the broker and will not pass
// by itself.
//
// Messages are leased without their bodies, as many as wait. Which is handled next is decided here and not by the broker, so no
// number of messages of one shop, and no silent terminal, keeps another shop's message waiting.
func (b *Bus) Work(ctx context.Context, c Consumer, handle Handler) error {
	c = b.withDefaults(c)
	w := &work{bus: b, spec: c, handle: handle, schedule: newSchedule(c.Concurrency), retries: map[uint64]int{}, unserved: NewUnserved(c.Backoff.Most), timers: map[*terminal]*time.Timer{}}
	w.serving = newServing(b, c)
	w.inHand, w.abandon = context.WithCancel(context.WithoutCancel(ctx))
	defer w.abandon()
	if err := w.serving.listen(w.inHand); err != nil {
		return err
	}
	w.unfinished = b.metrics.begin(c.Worker)
	defer b.metrics.stuck.end(w.unfinished)
	if err := b.AnswerStuck(w.inHand, c.Worker, w.stuck); err != nil {
		return err
	}
	b.AwaitClock(ctx)
	return b.consume(ctx, c, w.arrive, w.stop)
}

// work is a consumer that runs.
type work struct {
	bus     *Bus
	spec    Consumer
	handle  Handler
	inHand  context.Context    // of the handlers: it ends with the grace period
	abandon context.CancelFunc // ends it

	unfinished *unfinished
	handlers   sync.WaitGroup
	serving    *serving

	mu       sync.Mutex
	stopped  bool
	schedule *schedule
	timers   map[*terminal]*time.Timer
	retries  map[uint64]int // failed attempts of this copy, by sequence
	comeBack recent         // messages that were too much to keep leased
	unserved *Unserved      // messages that this copy does not serve
}

// arrive queues a message. It never blocks.
func (w *work) arrive(_ context.Context, l *Lease) {
	j := &job{lease: l, seq: l.seq, key: keyOf(l.Subject), shop: token(l.Subject, 1)}
	if l.replay {
		j.shop = token(l.Subject, 2)
	}
	terminal, err := w.spec.Serves(j.shop)
	w.unfinished.saw(l.Delivery, time.Now())
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !w.stopped {
		w.handlers.Go(func() { w.notServed(l, j.shop, err) })
		return
	}
	if w.stopped {
		l.GiveBack(0)
		return
	}
	if tooMuch := w.schedule.add(j, terminal); tooMuch != nil {
		tooMuch.lease.GiveBack(w.overflow(j.terminal))
	}
	w.dispatch(j.terminal)
}

// dispatch starts as many handlers as the terminal has room for, or probes it. It is called with mu held.
func (w *work) dispatch(t *terminal) {
	for !w.stopped {
		j := w.schedule.next(t)
		if j == nil {
			break
		}
		w.handlers.Go(func() { w.run(j) })
	}
	w.probeWhenDue(t)
}

// probeWhenDue asks a silent terminal something harmless, now or when its pause is over. It is called with mu held.
func (w *work) probeWhenDue(t *terminal) {
	if w.stopped {
		return
	}
	switch begin, at := t.probe(time.Now()); {
	case begin:
		shop := t.shop // of the message that came last; it may change while the probe is under way
		w.handlers.Go(func() { w.probe(t, shop) })
	case !at.IsZero():
		if timer := w.timers[t]; timer != nil {
			timer.Stop()
		}
		w.timers[t] = time.AfterFunc(time.Until(at), func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.probeWhenDue(t)
		})
	}
}

func (w *work) probe(t *terminal, shop string) {
	ctx, cancel := context.WithTimeout(w.inHand, probeTimeout)
	defer cancel()
	err := w.spec.Probe(ctx, shop)
	log := w.bus.log.Debug()
	if err == nil || w.bus.sometimes.OK("probe "+w.spec.Worker+" "+t.name) {
		log = w.bus.log.Info()
	}
	log.Err(err).Str("worker", w.spec.Worker).Str("terminal", t.name).Bool("answers", err == nil).Msg("probed a silent terminal")
	w.mu.Lock()
	defer w.mu.Unlock()
	t.probed(err == nil, time.Now())
	w.dispatch(t)
}

const probeTimeout = 10 * time.Second

// run handles one delivery and settles it.
func (w *work) run(j *job) {
	o := w.outcome(j)
	a := o.answer()
	if a == unanswered && w.spec.Probe == nil {
		a = noCall
	}
	w.mu.Lock()
	w.schedule.ended(j, a, time.Now())
	for _, x := range j.terminal.excess() {
		x.lease.GiveBack(w.overflow(j.terminal))
		w.schedule.release(x)
	}
	w.dispatch(j.terminal)
	w.mu.Unlock()
	if a == answered {
		w.unfinished.answered(j.terminal.name)
	}
	w.settle(j.lease, o, j.terminal.name)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.schedule.release(j)
	w.dispatch(j.terminal)
}

// outcome fetches the message and has it handled, unless the lease was lost meanwhile: another copy may be handling it.
func (w *work) outcome(j *job) Outcome {
	l := j.lease
	if l.Lost() {
		l.Drop()
		return Outcome{kind: dropped}
	}
	if err := w.fetch(l); err != nil {
		return notFetched(err)
	}
	begun := time.Now()
	d := l.Delivery
	d.lease = l
	o := w.handle(withTrace(w.inHand, l.TraceParent()), d)
	w.bus.metrics.handled(w.spec.Worker, o, time.Since(begun))
	return o
}

// fetch completes the delivery.
func (w *work) fetch(l *Lease) error {
	if err := l.fetch(w.inHand); err != nil || l.replay || !w.bus.precedes(l.Delivery, w.spec) {
		return err
	}
	settled, _, err := w.bus.wasParked(w.inHand, w.spec, l.Delivery)
	if err == nil && settled {
		return errNotOurs // an operator decides about it: only a replay has it handled again
	}
	return err
}

// notFetched gives the outcome of a delivery for which fetch gave the error.
func notFetched(err error) Outcome {
	if errors.Is(err, errNotOurs) || errors.Is(err, ErrNoMessage) {
		return Done // another copy has acknowledged it and it was removed, or an operator has deleted it
	}
	return Snooze(err)
}

// settle does what the outcome says. If that fails the message stays unacknowledged and comes again, which every handler has to
// expect.
func (w *work) settle(l *Lease, o Outcome, terminal string) {
	if o.kind != done && l.Lost() {
		o = Outcome{kind: dropped, err: o.err} // another copy may have it, and decides by itself
	}
	if o.kind == dropped {
		w.report(l, o, 0, terminal)
		l.Drop()
		return
	}
	attempts := w.attempts(l.Seq, o.kind)
	if o.kind == retry && attempts >= w.spec.Attempts {
		o.kind = park
	}
	w.report(l, o, attempts, terminal)
	switch o.kind {
	case done:
		l.Done(w.inHand)
	case park:
		if err := l.Park(w.inHand, attempts, o.err); err != nil {
			if w.bus.sometimes.OK("parking " + w.spec.Worker) {
				w.bus.log.Error().Err(err).Str("subject", l.Subject).Msg("messages cannot be parked yet")
			}
			l.GiveBack(w.spec.Backoff.Most)
		}
	case elsewhere:
		w.leave(l, token(keyOf(l.Subject), 1), o.terminal, o.err)
	case retry:
		l.GiveBack(w.spec.Backoff.After(attempts))
	case snooze, silent, busy:
		if o.after == 0 {
			o.after = w.spec.Backoff.atAge(w.bus.now().Sub(l.Time))
		}
		l.GiveBack(min(o.after, w.spec.Backoff.Most))
	}
}

// attempts counts the failed attempts of a message, and forgets a message that is settled. Only those are counted that end with Retry,
// an error that the provider answered, so few messages are remembered.
func (w *work) attempts(seq uint64, k kind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.retries[seq]
	switch k {
	case retry:
		n++
		if w.retries[seq] = n; n >= w.spec.Attempts {
			delete(w.retries, seq)
		}
	case park:
		n++
		delete(w.retries, seq)
	case done:
		delete(w.retries, seq)
	}
	return n
}

// stop gives back the messages that wait, and lets the handlers at work finish within the grace period.
func (w *work) stop() {
	w.mu.Lock()
	w.stopped = true
	rest := w.schedule.drain()
	for _, t := range w.timers {
		t.Stop()
	}
	w.mu.Unlock()
	for _, j := range rest {
		j.lease.GiveBack(0)
	}
	finished := make(chan struct{})
	go func() { w.handlers.Wait(); close(finished) }()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-finished:
	case <-t.C:
		w.abandon()
		<-finished
	}
	_ = w.bus.nc.FlushTimeout(time.Second) // what was given back is at the broker
}

// acknowledge acknowledges a message and waits for the broker's confirmation. Without that the message comes again.
func (b *Bus) acknowledge(ctx context.Context, m jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := m.DoubleAck(ctx); err != nil && b.sometimes.OK("acknowledge") {
		b.log.Warn().Err(err).Str("subject", m.Subject()).Msg("acknowledgements are not confirmed; the messages will come again")
	}
}
