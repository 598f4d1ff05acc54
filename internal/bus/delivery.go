package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Delivery is one message given to a handler.
type Delivery struct {
	Entry
	Redelivered bool // an earlier delivery was not acknowledged: it may have done anything
	Replayed    bool // a person sent it back from PARKED

	lease *Lease // that a handler works under
}

// Lost says that another copy may have the message by now. A handler looks at it right before it has the provider do
// something that must not be done twice, and ends with Dropped when it is so.
func (d Delivery) Lost() bool { return d.lease != nil && d.lease.lost() }

// Invoice is the invoice that the message is an event of; an error for one that no worker can have written.
func (d Delivery) Invoice() (events.Invoice, error) {
	inv, _, err := events.DecodeInvoiceEvent(d.Subject, d.Body)
	return inv, err
}

// Key of the invoice, for a message of INVOICES.
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

// body fetches what a consumer without bodies has left at the broker.
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

// errNotOurs is a record of PARKED that asks nothing of this consumer.
var errNotOurs = errors.New("not a replay for this consumer")

// original turns the wish to replay into a delivery of the message that was parked.
func (b *Bus) original(ctx context.Context, c Consumer, wish Delivery) (Delivery, error) {
	p, event, err := DecodeParked(wish.Body)
	if err != nil || event != events.ParkedReplayed || p.Consumer != c.Name {
		return wish, errNotOurs
	}
	e, err := b.MessageAt(ctx, p.Stream, p.Sequence)
	if errors.Is(err, ErrNoMessage) {
		e, err = Entry{events.Message{Subject: p.Subject, Body: p.Body()}, p.Stream, p.Sequence, wish.Time}, nil
	}
	if err == nil {
		wish.Entry, wish.Replayed = e, true
	}
	return wish, err
}

// DecodeParked reads a record of PARKED; event says whether a worker parked a message, or a person replayed or dismissed it.
func DecodeParked(body []byte) (p events.Parked, event string, err error) {
	var e events.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return p, "", fmt.Errorf("parked event: %w", err)
	}
	err = json.Unmarshal(e.Data, &p)
	for _, decided := range []string{events.ParkedReplayed, events.ParkedDismissed} {
		if e.Type == events.TypeOf("parked."+decided) {
			return p, decided, err
		}
	}
	return p, events.ParkedParked, err
}
