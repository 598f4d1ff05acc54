package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// still is how long a follower may see nothing before it asks whether there is more: its consumer may
// have died with a broker.
const still = 2 * time.Second

// follower reads one source, and goes on where it was when its consumer is gone.
type follower struct {
	bus    *bus.Bus
	source Source
	cons   jetstream.Consumer
	seen   uint64 // sequence of the last message that was given or that there was when it began
}

// begin makes the consumer.
func (f *follower) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	last, err := f.bus.LastSeq(ctx, f.source.Stream)
	if err != nil {
		return err
	}
	if f.source.Seq == 0 && !f.source.All && f.source.Since.IsZero() {
		f.seen = last
	}
	if f.cons, err = f.bus.JetStream().OrderedConsumer(ctx, f.source.Stream, f.source.config()); err != nil {
		return fmt.Errorf("stream %s: %w", f.source.Stream, err)
	}
	return nil
}

func (f *follower) run(ctx context.Context, out chan<- Entry) error {
	for {
		if err := f.read(ctx, out); err != nil || ctx.Err() != nil {
			return err
		}
		f.source.Seq = f.seen + 1 // from here on, whatever it began with
		for f.begin(ctx) != nil { // no broker, or no leader yet
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(still / 4):
			}
		}
	}
}

// read gives messages until ctx ends, or until nothing comes although there is more.
func (f *follower) read(ctx context.Context, out chan<- Entry) error {
	it, err := f.cons.Messages()
	if err != nil {
		return fmt.Errorf("stream %s: %w", f.source.Stream, err)
	}
	defer it.Stop()
	for {
		m, err := next(ctx, it)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			if f.behind(ctx) {
				return nil
			}
			continue
		case err != nil:
			return nil
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("stream %s: %w", f.source.Stream, err)
		}
		e := Entry{Stream: f.source.Stream, Seq: meta.Sequence.Stream, Subject: m.Subject(), Time: meta.Timestamp, Header: m.Headers(), Body: m.Data()}
		select {
		case out <- e:
			f.seen = e.Seq
		case <-ctx.Done():
			return nil
		}
	}
}

func next(ctx context.Context, it jetstream.MessagesContext) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, still)
	defer cancel()
	return it.Next(jetstream.NextContext(ctx))
}

// behind says that there is a message that should have come.
func (f *follower) behind(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := f.bus.JetStream().Stream(ctx, f.source.Stream)
	if err != nil {
		return false
	}
	for _, filter := range f.source.Filters {
		if m, err := s.GetLastMsgForSubject(ctx, filter); err == nil && m.Sequence > f.seen && !m.Time.Before(f.source.Since) {
			return true
		}
	}
	return false
}
