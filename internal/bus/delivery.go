package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Delivery is a message of a consumer that is given to a handler.
type Delivery struct {
	Entry
	Redelivered bool // an earlier delivery was not acknowledged: its handler may have done everything, a part, or nothing
	Replayed    bool // an operator has sent it back from PARKED

	lease *Lease // of the handler
}

// Lost says whether another copy may have the message by now. A handler asks right before it has the provider do something that
// must not be done twice, and ends with Dropped if it is lost.
func (d Delivery) Lost() bool { return d.lease != nil && d.lease.Lost() }

// Invoice gives the invoice after the event that the message is. The error says that no worker can have written the message.
func (d Delivery) Invoice() (events.Invoice, error) {
	inv, _, err := events.DecodeInvoiceEvent(d.Subject, d.Body)
	return inv, err
}

// Key gives the invoice of a message of INVOICES; it is empty for another message.
func (d Delivery) Key() events.Key {
	a, _ := events.ParseSubject(d.Subject)
	return a.Key()
}

func deliveryOf(m jetstream.Msg) (Delivery, error) {
	e, meta, err := entryOfDelivery(m)
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{Entry: e, Redelivered: meta.NumDelivered > 1}, nil
}

// body fetches the header and body, which a consumer of headers leaves at the broker.
func (b *Bus) body(ctx context.Context, d *Delivery) error {
	if len(d.Header["Nats-Msg-Size"]) == 0 {
		return nil
	}
	e, err := b.MessageAt(ctx, d.Stream, d.Seq)
	if err != nil {
		return err
	}
	d.Header, d.Body = e.Header, e.Body
	return nil
}

// errNotOurs says that a record of PARKED asks nothing of this consumer.
var errNotOurs = errors.New("not a replay for this consumer")

// original gives the delivery of the message that was parked, for a record of PARKED that has it replayed.
func (b *Bus) original(ctx context.Context, c Consumer, replay Delivery) (Delivery, error) {
	p, event, err := DecodeParked(replay.Body)
	if err != nil || event != events.ParkedReplayed || p.Consumer != c.Name {
		return replay, errNotOurs
	}
	e, err := b.MessageAt(ctx, p.Stream, p.Sequence)
	if errors.Is(err, ErrNoMessage) {
		e, err = Entry{events.Message{Subject: p.Subject, Body: p.Body()}, p.Stream, p.Sequence, replay.Time}, nil
	}
	if err == nil {
		replay.Entry, replay.Replayed = e, true
	}
	return replay, err
}
