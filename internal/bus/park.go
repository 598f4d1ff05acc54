package bus

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// maxOriginal bounds the copy of the original in a parked event. The whole is in its stream.
const maxOriginal = 16 << 10

// park keeps the message on PARKED, with the reason. A worker that dies before it acknowledges may park it twice.
func (b *Bus) park(ctx context.Context, c Consumer, d Delivery, attempts int, reason error, opts ...jetstream.PublishOpt) error {
	shop, id := addressee(d.Subject)
	p := events.Parked{
		Worker: c.Worker, Consumer: c.Name, Reason: reason.Error(), Attempts: max(attempts, 1), At: b.Now().UTC(),
		Stream: d.Stream, Subject: d.Subject, Sequence: d.Seq,
	}
	p.Original, p.Encoding, p.Truncated = excerpt(d.Body)
	b.metrics.parked.WithLabelValues(c.Worker).Inc()
	return b.publishParked(ctx, events.ParkedSubject(c.Worker, shop, id), events.SourceOf(events.Actor(c.Worker)), events.ParkedParked, p, opts...)
}

// NotOurs gives the outcome of a delivery of INVOICES that cannot be read: one that no worker can have written is parked, once, and
// passed over; one of a newer version is left to newer workers.
func (b *Bus) NotOurs(ctx context.Context, d Delivery, reason error) Outcome {
	if errors.Is(reason, events.ErrNewerVersion) {
		return Snooze(reason)
	}
	return Recorded(b.foreign(ctx, d, reason))
}

// foreign parks a message of INVOICES that no worker can have written: once, whichever process finds it.
func (b *Bus) foreign(ctx context.Context, d Delivery, reason error) error {
	if _, seen := b.foreignSeen.LoadOrStore(d.Seq, struct{}{}); seen {
		return nil
	}
	b.metrics.foreign.Inc()
	b.log.Error().Err(reason).Str("subject", d.Subject).Uint64("seq", d.Seq).
		Msg("a message on INVOICES that no worker has written is passed over; see who may publish there")
	err := b.parkOnce(ctx, Consumer{Worker: foreignWorker}, d, reason)
	if err != nil {
		b.foreignSeen.Delete(d.Seq)
		if b.sometimes.OK("foreign") {
			b.log.Error().Err(err).Uint64("seq", d.Seq).Msg("foreign messages cannot be parked yet")
		}
	}
	return err
}

// parkOnce parks the message, unless that was done.
func (b *Bus) parkOnce(ctx context.Context, c Consumer, d Delivery, reason error) error {
	load := func(ctx context.Context) (version[bool], error) {
		parked, last, err := b.wasParked(ctx, c, d)
		return version[bool]{state: parked, seq: last}, err
	}
	at, err := load(ctx)
	if err != nil {
		return err
	}
	_, err = updater[bool]{name: "PARKED", load: load, append: func(ctx context.Context, expected uint64, _ bool, _ string) error {
		return b.park(ctx, c, d, 1, reason, jetstream.WithExpectLastSequencePerSubject(expected))
	}}.update(ctx, at, func(parked bool) (bool, error) {
		if parked {
			return true, ErrNothing
		}
		return true, nil
	})
	return err
}

// foreignWorker stands in the place of the worker in the subjects of parked foreign messages.
const foreignWorker = "foreign"

// wasParked says whether the worker has ever parked the message; last is the sequence of the last message on the subject on which it
// would be parked.
func (b *Bus) wasParked(ctx context.Context, c Consumer, d Delivery) (found bool, last uint64, err error) {
	shop, id := addressee(d.Subject)
	all, err := b.few(ctx, events.ParkedStream, events.ParkedSubject(c.Worker, shop, id))
	for _, m := range all {
		if p, _, err := DecodeParked(m.Body); err == nil && p.Stream == d.Stream && p.Sequence == d.Seq {
			found = true
		}
		last = m.Seq
	}
	return found, last, err
}

// Replay records that an operator has the parked message handled once more.
func (b *Bus) Replay(ctx context.Context, m ParkedMessage) error {
	m.Replays, m.At = m.Seq, b.Now().UTC()
	return b.publishParked(ctx, m.On, events.SourceOf(events.ActorOperator), events.ParkedReplayed, m.Parked)
}

// Dismiss records that an operator has nothing more to do about the parked message: by names who says so.
func (b *Bus) Dismiss(ctx context.Context, m ParkedMessage, by, why string) error {
	m.Dismisses, m.By, m.Why, m.At = m.Seq, by, why, b.Now().UTC()
	return b.publishParked(ctx, m.On, events.SourceOf(events.ActorOperator), events.ParkedDismissed, m.Parked)
}

func (b *Bus) publishParked(ctx context.Context, subject, source, event string, p events.Parked, opts ...jetstream.PublishOpt) error {
	e, err := events.NewEnvelope(nuid.Next(), source, "parked."+event, p.Subject, p.At, p)
	if err != nil {
		return err
	}
	return b.publishEvent(ctx, subject, nats.Header{}, e, opts...)
}

// excerpt gives as much of the body as is kept, as text or in base64.
func excerpt(body []byte) (text, encoding string, truncated bool) {
	if len(body) > maxOriginal {
		body, truncated = body[:maxOriginal], true
	}
	if utf8.Valid(body) || truncated && utf8.Valid(body[:len(body)-utf8.UTFMax]) {
		return strings.ToValidUTF8(string(body), ""), "", truncated
	}
	return base64.StdEncoding.EncodeToString(body), "base64", truncated
}
