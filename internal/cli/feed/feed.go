// Package feed reads the streams for people and programs that look on: what is there, and what comes.
package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// Entry is one message of a stream.
type Entry struct {
	Stream  string
	Seq     uint64
	Subject string
	Time    time.Time // when it was stored
	Header  map[string][]string
	Body    []byte
}

// MarshalJSON writes the entry with its body as JSON where it is JSON, else as text.
func (e Entry) MarshalJSON() ([]byte, error) {
	out := struct {
		Stream  string          `json:"stream"`
		Seq     uint64          `json:"seq"`
		Time    time.Time       `json:"time"`
		Subject string          `json:"subject"`
		Event   json.RawMessage `json:"event,omitempty"`
		Text    string          `json:"text,omitempty"`
	}{Stream: e.Stream, Seq: e.Seq, Time: e.Time.UTC(), Subject: e.Subject}
	if json.Valid(e.Body) {
		out.Event = e.Body
	} else {
		out.Text = string(e.Body)
	}
	return json.Marshal(out)
}

const requestTimeout = 5 * time.Second

// Each gives every message there is of the stream that matches the filter, from the sequence on, in
// order. It asks for one at a time, so it is for the few messages of an invoice or of PARKED.
func Each(ctx context.Context, b *bus.Bus, stream, filter string, from uint64, take func(Entry) error) error {
	s, err := b.JetStream().Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	for seq := max(from, 1); ; {
		m, err := message(ctx, s, seq, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
		if err := take(entryOf(stream, m)); err != nil {
			return err
		}
		seq = m.Sequence + 1
	}
}

// At gives one message by its sequence.
func At(ctx context.Context, b *bus.Bus, stream string, seq uint64) (Entry, error) {
	s, err := b.JetStream().Stream(ctx, stream)
	if err != nil {
		return Entry{}, fmt.Errorf("stream %s: %w", stream, err)
	}
	m, err := message(ctx, s, seq)
	if err != nil {
		return Entry{}, fmt.Errorf("message %d of %s: %w", seq, stream, err)
	}
	return entryOf(stream, m), nil
}

func message(ctx context.Context, s jetstream.Stream, seq uint64, opts ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.GetMsg(ctx, seq, opts...)
}

func entryOf(stream string, m *jetstream.RawStreamMsg) Entry {
	return Entry{Stream: stream, Seq: m.Sequence, Subject: m.Subject, Time: m.Time, Header: m.Header, Body: m.Data}
}

// Source is what to follow of one stream, and from where: from a sequence, from a time, from the
// beginning, or from now on.
type Source struct {
	Stream  string
	Filters []string
	Seq     uint64
	Since   time.Time
	All     bool
}

func (s Source) config() jetstream.OrderedConsumerConfig {
	c := jetstream.OrderedConsumerConfig{FilterSubjects: s.Filters, DeliverPolicy: jetstream.DeliverNewPolicy}
	switch {
	case s.Seq > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.Seq
	case !s.Since.IsZero():
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &s.Since
	case s.All:
		c.DeliverPolicy = jetstream.DeliverAllPolicy
	}
	return c
}

// ErrStop is what take returns when it has seen enough.
var ErrStop = errors.New("enough")

// Follow gives every message of the sources to take, one at a time and each stream's in order, until
// ctx ends or take returns an error. Ready is called once nothing that is published from now on can be missed.
func Follow(ctx context.Context, b *bus.Bus, sources []Source, ready func(), take func(Entry) error) error {
	followers := make([]*follower, len(sources))
	for i, s := range sources {
		followers[i] = &follower{bus: b, source: s}
		if err := followers[i].begin(ctx); err != nil {
			return err
		}
	}
	if ready != nil {
		ready()
	}
	g, gctx := errgroup.WithContext(ctx)
	entries := make(chan Entry)
	for _, f := range followers {
		g.Go(func() error { return f.run(gctx, entries) })
	}
	g.Go(func() error {
		for {
			select {
			case <-gctx.Done():
				return nil
			case e := <-entries:
				if err := take(e); err != nil {
					return err
				}
			}
		}
	})
	if err := g.Wait(); err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	return nil
}
