package bus

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// PublishOrder stores an order event on ORDERS, as a structured CloudEvent with this id and source. The broker stores an id once
// within 100 ms; that an order comes twice is for the workers to see.
func (b *Bus) PublishOrder(ctx context.Context, source, shop, order, id string, name events.OrderName, data any) error {
	return b.publishOrder(ctx, source, shop, order, id, name, data)
}

// ErrMovedOn says that an event of the order was published after those that the caller has read.
var ErrMovedOn = errors.New("another event of the order came first")

// PublishOrderAfter is PublishOrder for an event that was decided on from what the order's events said up to the sequence last on
// ORDERS. The error is ErrMovedOn, and nothing is stored, when another event of the order came after that.
func (b *Bus) PublishOrderAfter(ctx context.Context, last uint64, source, shop, order, id string, name events.OrderName, data any) error {
	err := b.publishOrder(ctx, source, shop, order, id, name, data, expect(last, events.OrderKeyOf(shop, order).All()))
	if isConflict(err) {
		return ErrMovedOn
	}
	return err
}

func (b *Bus) publishOrder(ctx context.Context, source, shop, order, id string, name events.OrderName, data any, opts ...jetstream.PublishOpt) error {
	e := event{id, source, "order." + string(name), shop + "/" + order, b.Now(), data}
	return b.publishEvent(ctx, events.OrderSubject(shop, order, name), nats.Header{}, e, opts...)
}

// OrderHistory gives every event of an order, oldest first.
func (b *Bus) OrderHistory(ctx context.Context, k events.OrderKey) ([]Entry, error) {
	return b.few(ctx, events.OrdersStream, k.All())
}

// OrderMessages gives every event of that name of an order, oldest first.
func (b *Bus) OrderMessages(ctx context.Context, shop, order string, name events.OrderName) ([]Entry, error) {
	return b.few(ctx, events.OrdersStream, events.OrderSubject(shop, order, name))
}

// Try is one invoice by which an order is to be paid, under the ids that the shop gave.
type Try struct{ Shop, InvoiceID string }

// Key gives the invoice.
func (t Try) Key() events.Key { return events.KeyOf(t.Shop, t.InvoiceID) }

// Tries gives the invoices by which an order is to be paid: first the one under the order's own id, then one for each other invoiceId
// under which the order was placed before this sequence of ORDERS.
func (b *Bus) Tries(ctx context.Context, shop, order string, before uint64) ([]Try, error) {
	placed, err := b.OrderMessages(ctx, shop, order, events.Placed)
	if err != nil {
		return nil, err
	}
	tries := []Try{{shop, order}}
	for _, m := range placed {
		o, err := events.DecodeOrder(m.Message)
		if err != nil || m.Seq >= before || o.InvoiceID == "" {
			continue
		}
		if t := (Try{o.Shop, o.InvoiceID}); !slices.Contains(tries, t) {
			tries = append(tries, t)
		}
	}
	return tries, nil
}

// Canceled gives the invoices that the cancellation of this sequence on ORDERS is about: the one that it names, or all tries of the
// order before it.
func (b *Bus) Canceled(ctx context.Context, c events.Cancellation, seq uint64) ([]Try, error) {
	if c.InvoiceID != "" {
		return []Try{{c.Shop, c.InvoiceID}}, nil
	}
	return b.Tries(ctx, c.Shop, c.OrderID, seq)
}

// PublishRaw stores a body on a subject of a stream; id is its message id, "" for none. It repeats as Update does.
func (b *Bus) PublishRaw(ctx context.Context, subject, id string, body []byte) error {
	m := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{}}
	var opts []jetstream.PublishOpt
	if id != "" {
		opts = append(opts, jetstream.WithMsgID(id))
	}
	return b.publish(ctx, m, opts...)
}

// PublishOnce stores a body on a subject of a stream, with one try. That it fails does not make the process unready.
func (b *Bus) PublishOnce(ctx context.Context, subject string, body []byte) error {
	_, err := b.js.Publish(ctx, subject, body)
	return err
}
