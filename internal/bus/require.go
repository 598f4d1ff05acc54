package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

var errNoAnswerYet = errors.New("no answer yet")

// answersIn is how long one request of a start may take before the log says what is waited for.
const answersIn = 2500 * time.Millisecond

// Require makes sure that the streams and durables of these consumers are there. What is missing is made if the broker lets this
// process; else the error says what is missing and which command makes it. A broker that does not answer is waited for until ctx
// ends.
func (b *Bus) Require(ctx context.Context, consumers []Consumer) error {
	if err := b.RequireStreams(ctx, consumers); err != nil {
		return err
	}
	return b.eachDurable(ctx, consumers, b.bind)
}

// RequireStreams is Require of the streams alone.
func (b *Bus) RequireStreams(ctx context.Context, consumers []Consumer) error {
	for _, name := range streamsOf(consumers) {
		if err := b.patiently(ctx, "stream "+name, func(ctx context.Context) error { return b.requireStream(ctx, name) }); err != nil {
			return err
		}
	}
	return nil
}

// streamsOf gives the streams that a process with these consumers reads, each once.
func streamsOf(consumers []Consumer) []string {
	streams := []string{events.InvoicesStream, events.ParkedStream}
	for _, c := range consumers {
		streams = append(streams, c.Stream)
		if c.Records != "" {
			streams = append(streams, c.Records)
		}
	}
	slices.Sort(streams)
	return slices.Compact(streams)
}

// eachDurable does the same with each consumer and with that of its replays, patiently.
func (b *Bus) eachDurable(ctx context.Context, consumers []Consumer, do func(context.Context, Consumer) (jetstream.Consumer, error)) error {
	for _, c := range consumers {
		c = b.withDefaults(c)
		for _, spec := range []Consumer{c, c.Replays()} {
			if err := b.patiently(ctx, "consumer "+spec.Name+" of "+spec.Stream, func(ctx context.Context) error {
				_, err := do(ctx, spec)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// patiently asks again while the broker gives no answer, and logs that at once and then once a minute. The error is one that does not
// pass by itself, and says how to mend it.
func (b *Bus) patiently(ctx context.Context, what string, ask func(context.Context) error) error {
	waiting := func(err error) {
		if b.sometimes.OK("start " + what) {
			b.log.Warn().Err(explain(err)).Str("broker", Address(b.cfg.URL)).Msg("waiting for the broker: " + what)
		}
	}
	for begun := time.Now(); ; {
		once, cancel := context.WithTimeout(ctx, 2*requestTimeout)
		slow := time.AfterFunc(answersIn, func() { waiting(errNoAnswerYet) })
		err := b.denied(ask(once))
		slow.Stop()
		cancel()
		starting := time.Since(begun) < answersIn && !errors.Is(err, errDenied) // a broker that starts has no JetStream for a moment
		lasting := refused(err) && !starting || !refused(err) && !slices.Contains([]int{0, 503}, brokersAnswer(err).Code)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errDenied):
			return fmt.Errorf("%s: %w; make it with the provisioner's key: seqrflow broker apply", what, explain(err))
		case lasting || ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, explain(err))
		}
		waiting(err)
		if !pause(ctx, reconnectWait) {
			return fmt.Errorf("%s: %w", what, explain(err))
		}
	}
}

// refused says whether this user may not ask at all: by its permissions, or because its account has no such service.
func refused(err error) bool {
	return errors.Is(err, errDenied) || errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// requireStream finds a stream, or makes all streams if the broker lets this process.
func (b *Bus) requireStream(ctx context.Context, name string) error {
	s, err := b.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := b.EnsureStreams(ctx); err != nil {
			return err
		}
		s, err = b.js.Stream(ctx, name)
	}
	if err == nil {
		b.keep(name, s)
	}
	return err
}

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
		if c.Kept {
			continue
		}
		for _, name := range []string{c.Name, c.Replays().Name} {
			b.mu.Lock()
			receives := b.bound[name] > 0
			b.mu.Unlock()
			if !receives {
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

// countBound counts one more (1) or one less (-1) that receives the consumer's messages in this process.
func (b *Bus) countBound(name string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bound[name] += n
}
