package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrNoMessage says that a stream has no message of that sequence.
var ErrNoMessage = errors.New("there is no such message")

// MessageAt gives the message of a stream by its sequence. The error is ErrNoMessage when there is none.
func (b *Bus) MessageAt(ctx context.Context, stream string, seq uint64) (Entry, error) {
	e, err := b.messageAt(ctx, stream, seq)
	if err == nil && e.Seq == 0 {
		err = ErrNoMessage
	}
	if err != nil {
		return Entry{}, fmt.Errorf("message %d of %s: %w", seq, stream, err)
	}
	return e, nil
}

// messageAt gives the message, or with an option for it the first of a subject from the sequence on; its Seq is 0 when there is none.
func (b *Bus) messageAt(ctx context.Context, stream string, seq uint64, opts ...jetstream.GetMsgOpt) (Entry, error) {
	return b.ask(ctx, stream, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return s.GetMsg(ctx, seq, opts...)
	})
}

// last gives the last message under the filter; its Seq is 0 when there is none.
func (b *Bus) last(ctx context.Context, stream, filter string) (Entry, error) {
	return b.ask(ctx, stream, func(ctx context.Context, s jetstream.Stream) (*jetstream.RawStreamMsg, error) {
		return s.GetLastMsgForSubject(ctx, filter)
	})
}

// ask makes one request for a message.
func (b *Bus) ask(ctx context.Context, stream string, request func(context.Context, jetstream.Stream) (*jetstream.RawStreamMsg, error)) (Entry, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return Entry{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := request(ctx, s)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Entry{}, nil
	case err != nil:
		return Entry{}, err
	}
	return Entry{events.Message{Subject: m.Subject, Header: m.Header, Body: m.Data}, stream, m.Sequence, m.Time}, nil
}

// info asks for the state of a stream.
func (b *Bus) info(ctx context.Context, stream string, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := s.Info(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	return info, nil
}

// subjectsOf gives the subjects that the filter matches, and how many messages each has.
func (b *Bus) subjectsOf(ctx context.Context, stream, filter string) (map[string]uint64, error) {
	info, err := b.info(ctx, stream, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// LastSeq gives the sequence of the last message of a stream, 0 when there was never one.
func (b *Bus) LastSeq(ctx context.Context, stream string) (uint64, error) {
	info, err := b.info(ctx, stream)
	if err != nil {
		return 0, err
	}
	return info.State.LastSeq, nil
}
