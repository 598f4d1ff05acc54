package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What a scan keeps in memory of messages that are not yet taken.
const (
	scanMessages = 2000
	scanBytes    = 8 << 20

	// scanStall is how long a scan waits for the next message before it goes on with another consumer: its own may be lost with a
	// broker. It does so scanTries times without any progress.
	scanStall = 5 * time.Second
	scanTries = 5
	// scanLag is the pause until a scan goes on whose consumer had not all messages that the stream's leader has.
	scanLag = 250 * time.Millisecond

	// scanForgotten is after how long the broker removes the consumer of a process that died.
	scanForgotten = time.Minute
)

// Scan says which messages of a stream are read.
type Scan struct {
	Stream      string
	Filters     []string  // subjects; none is all
	From        uint64    // first sequence; 0 is the beginning
	To          uint64    // last sequence; 0 is the last one that is there when the scan begins
	Since       time.Time // leaves out what was stored before
	HeadersOnly bool      // leaves out the bodies
	// ByRequest reads with requests alone, which every worker may make, and without a consumer of its own, which few workers may
	// make. It is for filters that match few messages: each names one order or invoice, or what is parked of one. Publishers may
	// wait when a subject has more than two messages.
	ByRequest bool
}

// Scan gives the messages to take, one at a time and in the order of the stream, up to the last one that is there when the scan
// begins. It stops at the first error of take, and returns it. The memory that it needs does not grow with the number of messages.
// It returns the sequence up to which it has read the stream if there is no error.
//
// A scan makes no publisher wait, but for ByRequest. Filters that each name one invoice (or order, or period, or parked message) by its
// id cost a few requests for each of its messages, however long the stream is. For all other filters every message from From on is
// read and compared with the filters here: a broker that is given such filters keeps the stream locked while it counts what they
// match, and again while it looks for the next match.
func (b *Bus) Scan(ctx context.Context, s Scan, take func(Entry) error) (uint64, error) {
	last, err := b.LastSeq(ctx, s.Stream)
	if err != nil {
		return last, err
	}
	if s.To > 0 {
		last = min(last, s.To)
	}
	if last == 0 || s.From > last {
		return last, nil
	}
	f := filtersOf(s.Filters)
	matching := func(m Entry) error {
		if !f.match(m.Subject) {
			return nil
		}
		return take(m)
	}
	if s.ByRequest {
		return last, b.scanFew(ctx, s, s.Filters, last, matching)
	}
	if wide, ok := f.wholes(); ok {
		return last, b.scanFew(ctx, s, wide, last, matching)
	}
	return last, b.scanAll(ctx, s, last, matching)
}

// scanAll goes through the stream message by message.
func (b *Bus) scanAll(ctx context.Context, s Scan, last uint64, take func(Entry) error) error {
	for tries := 0; ; tries++ {
		from := s.From
		err := b.scan(ctx, &s, last, take)
		if err == nil {
			return nil
		}
		if s.From > from {
			tries = 0
		}
		if !errors.As(err, new(errStalled)) || tries >= scanTries || ctx.Err() != nil {
			return fmt.Errorf("scan of %s: %w", s.Stream, err)
		}
		b.log.Debug().Err(err).Str("stream", s.Stream).Uint64("from", s.From).Msg("scan goes on")
	}
}

// errStalled says that a scan got no further although there are more messages.
type errStalled struct{ error }

// scan gives the messages that one consumer delivers to take, and moves s.From past each.
func (b *Bus) scan(ctx context.Context, s *Scan, last uint64, take func(Entry) error) error {
	stream, err := b.stream(ctx, s.Stream)
	if err != nil {
		return err
	}
	setup, cancel := context.WithTimeout(ctx, scanStall)
	defer cancel()
	cfg := jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(s.From, 1), HeadersOnly: s.HeadersOnly, InactiveThreshold: scanForgotten,
	}
	if s.From == 0 && !s.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &s.Since
	}
	cons, err := stream.OrderedConsumer(setup, cfg)
	if err != nil {
		return errStalled{err}
	}
	defer func() { b.forget(ctx, stream, cons.CachedInfo()) }()
	if cons.CachedInfo().NumPending == 0 {
		return b.readAll(ctx, *s, last)
	}
	msgs, err := cons.Messages(jetstream.PullMaxMessagesWithBytesLimit(scanMessages, scanBytes))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	for {
		m, err := next(ctx, msgs, scanStall)
		if err != nil {
			return errStalled{err}
		}
		e, meta, err := entryOfDelivery(m)
		if err != nil {
			return err
		}
		if e.Seq > last {
			return nil
		}
		if !e.Time.Before(s.Since) {
			if err := take(e); err != nil {
				return err
			}
		}
		s.From = e.Seq + 1
		switch {
		case e.Seq == last:
			return nil
		case meta.NumPending == 0:
			return b.readAll(ctx, *s, last)
		}
	}
}

// readAll gives an error if the stream's leader has a message, up to last, that the scan has not read. In a cluster another broker may
// lead the scan's consumer, and not have the newest messages yet.
func (b *Bus) readAll(ctx context.Context, s Scan, last uint64) error {
	from := max(s.From, 1)
	if s.From == 0 && !s.Since.IsZero() {
		from = last // nothing was read: whether anything is new enough, the last message says
	}
	switch next, err := b.messageAt(ctx, s.Stream, from, jetstream.WithGetMsgSubject(">")); {
	case err != nil:
		return errStalled{err}
	case next.Seq == 0 || next.Seq > last || next.Time.Before(s.Since):
		return nil
	}
	pause(ctx, scanLag)
	return errStalled{fmt.Errorf("messages from %d on have not come", from)}
}

// next gives the consumer's next message, or context.DeadlineExceeded when none comes in time.
func next(ctx context.Context, msgs jetstream.MessagesContext, patience time.Duration) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return msgs.Next(jetstream.NextContext(ctx))
}

// forget removes a consumer of our own, which the broker would keep until it notices that nothing reads it.
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
