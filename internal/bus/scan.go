package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// What a scan keeps in memory of messages that are not yet taken.
const (
	scanMessages = 2000
	scanBytes    = 8 << 20

	// scanStall is how long a scan waits for the next message before it goes on with another consumer:
	// the one it has may have died with a broker. It does so scanTries times without any progress.
	scanStall = 5 * time.Second
	scanTries = 5

	// scanForgotten is when the broker drops the consumer of a scan whose process died.
	scanForgotten = time.Minute
)

// Scan says which messages of a stream to go through.
type Scan struct {
	Stream      string
	Filters     []string // subjects; empty takes all
	From        uint64   // first sequence; 0 is the beginning
	HeadersOnly bool     // leaves the bodies at the broker
}

// Scanned is one message of a scan.
type Scanned struct {
	events.Message
	Seq uint64
}

// Scan gives take the messages in the order of the stream, up to the last one that is there when the
// scan begins, in memory that does not grow with their number. It stops at the first error of take.
// It returns the sequence up to which it has seen the stream.
func (b *Bus) Scan(ctx context.Context, s Scan, take func(Scanned) error) (uint64, error) {
	last, err := b.LastSeq(ctx, s.Stream)
	if err != nil || last == 0 || s.From > last {
		return last, err
	}
	for tries := 0; ; tries++ {
		from := s.From
		var stalled errStalled
		err := b.scan(ctx, &s, last, take)
		if err == nil {
			return last, nil
		}
		if s.From > from {
			tries = 0
		}
		if !errors.As(err, &stalled) || tries >= scanTries || ctx.Err() != nil {
			return last, fmt.Errorf("scan of %s: %w", s.Stream, err)
		}
		b.log.Debug().Err(err).Str("stream", s.Stream).Uint64("from", s.From).Msg("scan goes on")
	}
}

// errStalled is a scan that got no further although there is more.
type errStalled struct{ error }

// scan moves s.From past every message that it gave to take.
func (b *Bus) scan(ctx context.Context, s *Scan, last uint64, take func(Scanned) error) error {
	stream, err := b.stream(ctx, s.Stream)
	if err != nil {
		return err
	}
	setup, cancel := context.WithTimeout(ctx, scanStall)
	defer cancel()
	cons, err := stream.OrderedConsumer(setup, jetstream.OrderedConsumerConfig{
		FilterSubjects: s.Filters, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(s.From, 1),
		HeadersOnly: s.HeadersOnly, InactiveThreshold: scanForgotten,
	})
	if err != nil {
		return errStalled{err}
	}
	defer func() { b.forget(ctx, stream, cons.CachedInfo()) }()
	if cons.CachedInfo().NumPending == 0 {
		return nil
	}
	msgs, err := cons.Messages(jetstream.PullMaxMessagesWithBytesLimit(scanMessages, scanBytes))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for {
		m, err := next(ctx, msgs)
		if err != nil {
			return errStalled{err}
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream > last {
			return nil
		}
		if err := take(Scanned{events.Message{Subject: m.Subject(), Header: m.Headers(), Body: m.Data()}, meta.Sequence.Stream}); err != nil {
			return err
		}
		s.From = meta.Sequence.Stream + 1
		if meta.Sequence.Stream == last || meta.NumPending == 0 {
			return nil
		}
	}
}

func next(ctx context.Context, msgs jetstream.MessagesContext) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, scanStall)
	defer cancel()
	return msgs.Next(jetstream.NextContext(ctx))
}

// forget removes the scan's consumer, so that the broker need not keep it until it is noticed to be idle.
func (b *Bus) forget(ctx context.Context, s jetstream.Stream, consumer *jetstream.ConsumerInfo) {
	if consumer == nil {
		return // it was lost already
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	if err := s.DeleteConsumer(ctx, consumer.Name); err != nil {
		b.log.Debug().Err(err).Str("consumer", consumer.Name).Msg("removing a scan's consumer")
	}
}

// LastSeq is the sequence of the last message of a stream, 0 when there was never one.
func (b *Bus) LastSeq(ctx context.Context, stream string) (uint64, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := s.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	return info.State.LastSeq, nil
}
