package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrTooLarge says that the broker takes no message of this size.
var ErrTooLarge = errors.New("the event is larger than the broker takes")

// ErrIDTaken says that another message was published under the same id a moment before, so that the broker has not stored this one.
var ErrIDTaken = errors.New("the message id was used by another message")

// publishPatience is how long a publish is repeated: less than the broker remembers ids, so a repeat never is a second event.
const publishPatience = duplicates / 2

// headerRoom is what a message's headers may add to its body.
const headerRoom = 1 << 10

// publishEvent publishes one CloudEvent under its own id, with more headers.
func (b *Bus) publishEvent(ctx context.Context, subject string, header nats.Header, e events.Envelope, opts ...jetstream.PublishOpt) error {
	body, err := events.Encode(e)
	if err != nil {
		return err
	}
	header.Set("Content-Type", "application/cloudevents+json")
	m := &nats.Msg{Subject: subject, Data: body, Header: header}
	return b.publish(ctx, m, append(opts, jetstream.WithMsgID(e.ID))...)
}

// expect has the broker refuse the message unless the last sequence under the filter is the given one; 0 is none. The filter
// is always spelled alike: on a cluster two spellings of the same subjects break the check.
func expect(seq uint64, filter string) jetstream.PublishOpt {
	return jetstream.WithExpectLastSequenceForSubject(seq, filter)
}

// publish stores a message: it waits for the broker's acknowledgement, and repeats a publish that gets none.
func (b *Bus) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) error {
	if err := b.fits(len(m.Data)); err != nil {
		return err
	}
	allowed, refused, done := b.whileAllowed(ctx, m.Subject)
	defer done()
	deadline := time.Now().Add(publishPatience)
	var said error // the last refusal: it says more than that the time is over
	for {
		once, cancel := context.WithTimeout(allowed, requestTimeout)
		begun := time.Now()
		ack, err := b.js.PublishMsg(once, m, opts...)
		cancel()
		b.noteWrite(m.Subject, time.Since(begun), err)
		if err == nil {
			b.history.saw(ack.Stream, ack.Sequence)
		}
		switch {
		case err == nil && ack.Duplicate:
			return b.isOurs(ctx, m, ack)
		case err == nil || errors.Is(err, nats.ErrConnectionClosed) || isAPIError(err) && !isCode(err, 503):
			return err
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			said = err
		} else if said != nil {
			err = fmt.Errorf("%w: %w", said, err)
		}
		if refused() || time.Now().After(deadline) || !pause(ctx, reconnectWait) {
			return b.denied(err)
		}
	}
}

// fits gives an error if the broker takes no message with a body of this many bytes.
func (b *Bus) fits(size int) error {
	if most := b.nc.MaxPayload(); most > 0 && int64(size+headerRoom) > most {
		return fmt.Errorf("%w: %d bytes, its max_payload is %d", ErrTooLarge, size, most)
	}
	return nil
}

// isOurs gives an error unless what the broker has stored under the message's id is this message, of which the acknowledgement was
// lost.
func (b *Bus) isOurs(ctx context.Context, m *nats.Msg, ack *jetstream.PubAck) error {
	stored, err := b.messageAt(ctx, ack.Stream, ack.Sequence)
	switch {
	case err != nil:
		return err
	case stored.Seq == 0:
		return nil // of a work queue: it was acknowledged already
	case stored.Subject != m.Subject || !bytes.Equal(stored.Body, m.Data):
		b.log.Error().Str("stream", ack.Stream).Str("subject", m.Subject).Str("taken_by", stored.Subject).Uint64("seq", ack.Sequence).
			Msg("another message was published under our message id")
		return ErrIDTaken
	}
	return nil
}

// isConflict says whether another message came first (10071 wrong last sequence; 10164 the same from a cluster that is storing
// another message).
func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == 10071 || api.ErrorCode == 10164)
}

// Insist records what the provider has answered and would not answer again: when the broker fails it tries again, for a minute at
// most. It begins no try after the end of ctx, which does not interrupt one that is under way.
func (b *Bus) Insist(ctx context.Context, record func(context.Context) error) error {
	for deadline := time.Now().Add(publishPatience); ; {
		err := record(context.WithoutCancel(ctx))
		if err == nil || errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, ErrTooLarge) || time.Now().After(deadline) || !pause(ctx, reconnectWait) {
			return err
		}
		if b.sometimes.OK("insist") {
			b.log.Error().Err(err).Msg("answers of the provider are not recorded yet")
		}
	}
}
