package bus

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	b.metrics.parked.WithLabelValues(c.Worker).Inc()
	return b.publishParked(ctx, parkedOn(c.Worker, d.Subject), events.Actor(c.Worker), events.ParkedParked, b.parked(c, d.Entry, attempts, reason.Error()), opts...)
}

// parked gives what is recorded on PARKED of a message of the consumer.
func (b *Bus) parked(c Consumer, e Entry, attempts int, reason string) events.Parked {
	p := events.Parked{
		Worker: c.Worker, Consumer: c.Name, Reason: reason, Attempts: max(attempts, 1), At: b.Now().UTC(),
		Stream: e.Stream, Subject: e.Subject, Sequence: e.Seq,
	}
	p.Original, p.Encoding, p.Truncated = excerpt(e.Body)
	return p
}

// parkedOn gives the subject on PARKED of what a worker says of a message, by the message's own subject.
func parkedOn(worker, subject string) string {
	shop, id := addressee(subject)
	return events.ParkedSubject(worker, shop, id)
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
	for range maxConflicts {
		parked, last, err := b.wasParked(ctx, c, d)
		if err != nil || parked {
			return err
		}
		if err = b.park(ctx, c, d, 1, reason, jetstream.WithExpectLastSequencePerSubject(last)); !isConflict(err) {
			return err
		}
	}
	return fmt.Errorf("append to PARKED: %d conflicts in a row", maxConflicts)
}

// foreignWorker stands in the place of the worker in the subjects of parked foreign messages.
const foreignWorker = "foreign"

// wasParked says whether the worker has ever parked the message; last is the sequence of the last message on the subject on which it
// would be parked.
func (b *Bus) wasParked(ctx context.Context, c Consumer, d Delivery) (found bool, last uint64, err error) {
	all, err := b.few(ctx, events.ParkedStream, parkedOn(c.Worker, d.Subject))
	for _, m := range all {
		if p, _, err := events.DecodeParked(m.Body); err == nil && p.Stream == d.Stream && p.Sequence == d.Seq {
			found = true
		}
		last = m.Seq
	}
	return found, last, err
}

// ParkedAfter says whether the worker has parked the message of the stream, by its sequence, after the delivery's message was stored.
// A message that is not there any more was not.
func (b *Bus) ParkedAfter(ctx context.Context, worker, stream string, seq uint64, after Delivery) (bool, error) {
	e, err := b.messageAt(ctx, stream, seq)
	if err != nil || e.Seq == 0 {
		return false, err
	}
	all, err := b.joinParked(ctx, Scan{Filters: []string{parkedOn(worker, e.Subject)}, ByRequest: true})
	return slices.ContainsFunc(all, func(m ParkedMessage) bool {
		return m.Stream == stream && m.Sequence == seq && m.Stored.After(after.Time)
	}), err
}

// Replay records that an operator has the parked message handled once more.
func (b *Bus) Replay(ctx context.Context, m ParkedMessage) error {
	m.Replays, m.At = m.Seq, b.Now().UTC()
	return b.publishParked(ctx, m.On, events.ActorOperator, events.ParkedReplayed, m.Parked)
}

// Dismiss records that an operator has nothing more to do about the parked message: by names who says so.
func (b *Bus) Dismiss(ctx context.Context, m ParkedMessage, by, why string) error {
	m.Dismisses, m.By, m.Why, m.At = m.Seq, by, why, b.Now().UTC()
	return b.publishParked(ctx, m.On, events.ActorOperator, events.ParkedDismissed, m.Parked)
}

func (b *Bus) publishParked(ctx context.Context, subject string, by events.Actor, what string, p events.Parked, opts ...jetstream.PublishOpt) error {
	e := event{nuid.Next(), events.SourceOf(by), "parked." + what, p.Subject, p.At, p}
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

// parkGivenUp parks what the broker has given up on: a message that was terminated, or that was delivered as often as the consumer's
// settings allow. Ours allow any number, so this happens only where an operator has changed them. It returns when ctx ends.
func (b *Bus) parkGivenUp(ctx context.Context, c Consumer) error {
	name := c.Name
	park := func(m *nats.Msg) {
		if err := b.parkAdvised(ctx, c, m.Data); err != nil {
			b.log.Error().Err(err).Str("consumer", name).Msg("parking what the broker gave up on")
		}
	}
	for _, kind := range []string{"MAX_DELIVERIES", "MSG_TERMINATED"} {
		sub, err := b.nc.QueueSubscribe("$JS.EVENT.ADVISORY.CONSUMER."+kind+"."+c.Stream+"."+name, "seqrflow-"+name, park)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	<-ctx.Done()
	return nil
}

// The broker's reasons for giving up on a message that was removed from the stream. In a cluster a broker that came back tells so of messages
// of OPEN of which it does not know yet that they were acknowledged, and the stream's leader may still have one of them.
const (
	unackedDeleted = "Unacknowledged message was deleted"
	limitsDeleted  = "Message deleted by stream limits"
)

func (b *Bus) parkAdvised(ctx context.Context, c Consumer, body []byte) error {
	var a struct {
		StreamSeq  uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
		Reason     string `json:"reason"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	if slices.Contains([]string{unackedDeleted, limitsDeleted}, a.Reason) {
		return nil
	}
	e, err := b.MessageAt(ctx, c.Stream, a.StreamSeq)
	if err != nil {
		return err
	}
	reason := fmt.Sprintf("the broker gave up after %d deliveries", a.Deliveries)
	if a.Reason != "" {
		reason += ": " + a.Reason
	}
	return b.park(ctx, c, Delivery{Entry: e}, a.Deliveries, errors.New(reason))
}
