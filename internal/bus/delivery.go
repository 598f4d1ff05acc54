package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Delivery is one message given to a handler.
type Delivery struct {
	events.Message
	Stream      string
	Seq         uint64    // in the stream
	Redelivered bool      // an earlier delivery was not acknowledged: it may have done anything
	Replayed    bool      // a person sent it back from PARKED
	At          time.Time // when it was stored

	msg jetstream.Msg // what is acknowledged: the message, or the wish to replay it
}

// Invoice is the invoice that the message is an event of.
func (d Delivery) Invoice() (events.Invoice, error) { return DecodeInvoice(d.Body) }

// Key of the invoice, for a message of INVOICES.
func (d Delivery) Key() events.Key {
	a, _ := events.ParseSubject(d.Subject)
	return a.Key()
}

func deliveryOf(m jetstream.Msg) (Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		Message: events.Message{Subject: m.Subject(), Header: m.Headers(), Body: m.Data()},
		Stream:  meta.Stream, Seq: meta.Sequence.Stream, Redelivered: meta.NumDelivered > 1, At: meta.Timestamp, msg: m,
	}, nil
}

// errNotOurs is a record of PARKED that asks nothing of this consumer.
var errNotOurs = errors.New("not a replay for this consumer")

// original turns the wish to replay into a delivery of the message that was parked.
func (b *Bus) original(ctx context.Context, c Consumer, wish Delivery) (Delivery, error) {
	p, replayed, err := DecodeParked(wish.Body)
	if err != nil || !replayed || p.Consumer != c.durable() {
		return wish, errNotOurs
	}
	s, err := b.stream(ctx, p.Stream)
	if err != nil {
		return wish, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	raw, err := s.GetMsg(ctx, p.Sequence)
	if err != nil {
		return wish, fmt.Errorf("message %d of %s: %w", p.Sequence, p.Stream, err)
	}
	wish.Message = events.Message{Subject: raw.Subject, Header: raw.Header, Body: raw.Data}
	wish.Stream, wish.Seq, wish.At, wish.Replayed = p.Stream, p.Sequence, raw.Time, true
	return wish, nil
}

// DecodeParked reads a record of PARKED; replayed tells a person's wish from a worker's complaint.
func DecodeParked(body []byte) (p events.Parked, replayed bool, err error) {
	var e events.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return p, false, fmt.Errorf("parked event: %w", err)
	}
	err = json.Unmarshal(e.Data, &p)
	return p, e.Type == events.TypeOf("parked."+events.ParkedReplayed), err
}
