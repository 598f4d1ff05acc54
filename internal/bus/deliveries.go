package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// LoadedDelivery is the last attempt to tell a destination about an invoice, with its place on DELIVERIES. Seq is 0 when there is
// none.
type LoadedDelivery struct {
	events.DeliveryAttempt
	Seq     uint64
	eventID string
}

// LastDelivery gives the last attempt to tell the destination about the invoice. A record that cannot be read counts as none.
func (b *Bus) LastDelivery(ctx context.Context, k events.Key, destination string) (LoadedDelivery, error) {
	last, err := b.last(ctx, events.DeliveriesStream, events.DeliverySubject(k, destination))
	if err != nil || last.Seq == 0 {
		return LoadedDelivery{}, err
	}
	l := LoadedDelivery{Seq: last.Seq, eventID: last.eventID()}
	if a, err := events.DecodeDelivery(last.Body); err == nil {
		l.DeliveryAttempt = a
	}
	return l, nil
}

// LastDeliveryOf gives the last attempt to tell the destination about one event of the invoice, by its sequence on INVOICES: of those
// that a person had sent again, or of the others. It is zero when there is none. It makes a request for each attempt about the invoice.
func (b *Bus) LastDeliveryOf(ctx context.Context, k events.Key, destination string, seq uint64, resent bool) (last events.DeliveryAttempt, err error) {
	all, err := b.few(ctx, events.DeliveriesStream, events.DeliverySubject(k, destination))
	for _, e := range all {
		if a, err := events.DecodeDelivery(e.Body); err == nil && a.Sequence == seq && a.Resent == resent {
			last = a
		}
	}
	return last, err
}

// RecordDelivery records an attempt, after the last one that was loaded. When another copy has recorded one since, what that has
// settled stays settled. While the broker does not answer it tries for one minute, and no longer than ctx.
func (b *Bus) RecordDelivery(ctx context.Context, worker string, k events.Key, last LoadedDelivery, a events.DeliveryAttempt) error {
	subject := events.DeliverySubject(k, a.Destination)
	_, err := updater[events.DeliveryAttempt]{
		name: subject,
		load: func(ctx context.Context) (version[events.DeliveryAttempt], error) {
			l, err := b.LastDelivery(ctx, k, a.Destination)
			return version[events.DeliveryAttempt]{l.DeliveryAttempt, l.Seq, l.eventID}, err
		},
		append: func(ctx context.Context, expected uint64, next events.DeliveryAttempt, id string) error {
			e := event{id, events.SourceOf(events.Actor(worker)), "delivery.attempted", a.Shop + "/" + a.InvoiceID, a.At, next}
			return b.publishEvent(ctx, subject, nats.Header{}, e, jetstream.WithExpectLastSequencePerSubject(expected))
		},
	}.update(ctx, version[events.DeliveryAttempt]{last.DeliveryAttempt, last.Seq, last.eventID},
		func(was events.DeliveryAttempt) (events.DeliveryAttempt, error) {
			next := a
			next.Settled = max(a.Settled, was.Settled)
			return next, nil
		})
	return err
}

// Resend records that an operator has the message given to the consumer once more, whether or not it was parked.
func (b *Bus) Resend(ctx context.Context, c Consumer, e Entry) error {
	return b.publishParked(ctx, parkedOn(c.Worker, e.Subject), events.ActorOperator, events.ParkedReplayed, b.parked(c, e, 1, "sent again for a person"))
}

// ParkedOf gives the message as the consumer has parked it last, if it waits for a person; nil otherwise.
func (b *Bus) ParkedOf(ctx context.Context, c Consumer, e Entry) (*ParkedMessage, error) {
	all, err := b.joinParked(ctx, Scan{Filters: []string{parkedOn(c.Worker, e.Subject)}})
	for _, m := range slices.Backward(all) {
		if m.Open() && m.Consumer == c.Name && m.Stream == e.Stream && m.Sequence == e.Seq {
			return &m, err
		}
	}
	return nil, err
}

// Durables gives the durables of a stream whose names begin with the prefix.
func (b *Bus) Durables(ctx context.Context, stream, prefix string) (out []ConsumerState, err error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	list := s.ListConsumers(ctx)
	for c := range list.Info() { // to its end, else its goroutine stays
		if strings.HasPrefix(c.Config.Durable, prefix) {
			out = append(out, consumerState(c))
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", stream, b.denied(err))
	}
	return out, nil
}
