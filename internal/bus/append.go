package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrNothing is what a decision returns when there is nothing to record: an earlier delivery or another worker did it, or the
// state has moved on.
var ErrNothing = errors.New("nothing to record")

// maxConflicts bounds how often one update starts anew. Each conflict means that another writer got further, and what is
// written to has few messages.
const maxConflicts = 20

// version is a state as the last message of it says.
type version[T any] struct {
	state   T
	seq     uint64 // of that message: the next append expects it; 0 when there is no message
	eventID string // of that message
}

// updater appends to the states of one thing: an invoice, a period, an entry of the index, or what is parked under a subject.
type updater[T any] struct {
	name     string // of the thing, in errors
	load     func(context.Context) (version[T], error)
	append   func(ctx context.Context, expected uint64, next T, eventID string) error
	conflict func() // is called when another writer came first; nil is not
}

// update decides from a version and appends what was decided. When another writer comes first it decides again, from the newest
// version. It returns the state after that, or as it is when there is nothing to record. decide must be pure.
func (u updater[T]) update(ctx context.Context, at version[T], decide func(T) (T, error)) (T, error) {
	for range maxConflicts {
		next, err := decide(at.state)
		switch {
		case errors.Is(err, ErrNothing):
			return at.state, nil
		case err != nil:
			return at.state, err
		}
		id := nuid.Next()
		if err = u.append(ctx, at.seq, next, id); err == nil {
			return next, nil
		}
		if !isConflict(err) {
			return at.state, err
		}
		if at, err = u.load(ctx); err != nil {
			return at.state, err
		}
		if at.eventID == id {
			return at.state, nil // an answer was lost, the event was not
		}
		if u.conflict != nil {
			u.conflict()
		}
	}
	return at.state, fmt.Errorf("append to %s: %d conflicts in a row", u.name, maxConflicts)
}

// appended is an event that is stored only if the last sequence under its invoice's or period's subjects is the expected one.
type appended struct {
	event
	subject  string
	all      string // the subjects of the invoice or period
	expected uint64
	header   nats.Header
}

// appendEvent stores the event. While the broker does not answer it goes on with the same id and the same expectation, so that
// the event is there at most once, until ctx ends.
func (b *Bus) appendEvent(ctx context.Context, e appended) error {
	name := token(e.subject, 3)
	if err := b.publishEvent(ctx, e.subject, e.header, e.event, expect(e.expected, e.all)); err != nil {
		return fmt.Errorf("append %s: %w", name, err)
	}
	b.metrics.events.WithLabelValues(name).Inc()
	return nil
}

// ErrTooLarge says that the broker takes no message of this size.
var ErrTooLarge = errors.New("the event is larger than the broker takes")

// ErrIDTaken says that another message was published under the same id a moment before, so that the broker has not stored this one.
var ErrIDTaken = errors.New("the message id was used by another message")

// publishPatience is how long a publish is repeated: less than the broker remembers ids, so a repeat never is a second event.
const publishPatience = duplicates / 2

// headerRoom is what a message's headers may add to its body.
const headerRoom = 1 << 10

// event is a CloudEvent that is to be published.
type event struct {
	id, source  string
	kind, about string // such as "invoice.paid"; the CloudEvents subject
	at          time.Time
	data        any
}

func (e event) encode(traceparent string) ([]byte, error) {
	envelope, err := events.NewEnvelope(e.id, e.source, e.kind, e.about, e.at, e.data)
	if err != nil {
		return nil, err
	}
	envelope.TraceParent = traceparent
	return events.Encode(envelope)
}

// publishEvent publishes one CloudEvent under its own id, with more headers.
func (b *Bus) publishEvent(ctx context.Context, subject string, header nats.Header, e event, opts ...jetstream.PublishOpt) error {
	body, err := e.encode(traceOf(ctx))
	if err != nil {
		return err
	}
	header.Set("Content-Type", "application/cloudevents+json")
	m := &nats.Msg{Subject: subject, Data: body, Header: header}
	return b.publish(ctx, m, append(opts, jetstream.WithMsgID(e.id))...)
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
		if err == nil && ack.Duplicate {
			err = b.isOurs(ctx, m, ack)
		}
		settled := err == nil || errors.Is(err, ErrIDTaken) || errors.Is(err, nats.ErrConnectionClosed)
		again := reconnectWait
		switch {
		case settled:
			return err
		case isBeingStored(err):
			again = storingWait
		case !slices.Contains([]int{0, 503}, brokersAnswer(err).Code):
			return err
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			said = err
		} else if said != nil {
			err = fmt.Errorf("%w: %w", said, err)
		}
		if refused() || time.Now().After(deadline) || !pause(ctx, again) {
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

// storingWait is the pause until a publish is repeated that met a message which the broker is storing.
const storingWait = 50 * time.Millisecond

// isBeingStored says whether a cluster is storing a message at this moment, which is not settled yet: the same one, sent before (10158),
// or another under the same filter (10164). A repetition tells what became of it.
func isBeingStored(err error) bool {
	return slices.Contains([]jetstream.ErrorCode{10158, 10164}, brokersAnswer(err).ErrorCode)
}

// isConflict says whether another message came first (10071 wrong last sequence; 10164 the same from a cluster that is storing
// another message).
func isConflict(err error) bool {
	return slices.Contains([]jetstream.ErrorCode{10071, 10164}, brokersAnswer(err).ErrorCode)
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
