package bus

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// PublishOrder puts one order event on ORDERS as a structured CloudEvent. The id makes it idempotent
// for two minutes; the workers are idempotent for ever.
func (b *Bus) PublishOrder(ctx context.Context, source, shop, order, id string, name events.OrderName, data any) error {
	e, err := events.NewEnvelope(id, source, "order."+string(name), shop+"/"+order, b.Now(), data)
	if err != nil {
		return err
	}
	e.TraceParent = traceOf(ctx)
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return b.PublishRaw(ctx, events.OrderSubject(shop, order, name), id, body)
}

// LastOrder gives the last event of that name of an order, if there is one.
func (b *Bus) LastOrder(ctx context.Context, shop, order string, name events.OrderName) (events.Message, bool, error) {
	raw, err := b.last(ctx, events.OrdersStream, events.OrderSubject(shop, order, name))
	if err != nil || raw == nil {
		return events.Message{}, false, err
	}
	return events.Message{Subject: raw.Subject, Header: raw.Header, Body: raw.Data}, true, nil
}

// PublishRaw puts a body on a subject of a stream and waits until it is stored.
func (b *Bus) PublishRaw(ctx context.Context, subject, id string, body []byte) error {
	m := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{}}
	var opts []jetstream.PublishOpt
	if id != "" {
		opts = append(opts, jetstream.WithMsgID(id))
	}
	return b.publish(ctx, m, opts...)
}

// Hint asks whoever polls the invoice to do so now. It may be lost.
func (b *Bus) Hint(k events.Key) error { return b.nc.Publish(k.Hint(), nil) }

// Hints gives every hint to take until ctx ends.
func (b *Bus) Hints(ctx context.Context, take func(events.Key)) error {
	sub, err := b.nc.Subscribe("hints.*.*", func(m *nats.Msg) {
		if k, ok := hinted(m.Subject); ok {
			take(k)
		}
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return sub.Unsubscribe()
}

func hinted(subject string) (events.Key, bool) {
	a, err := events.ParseSubject(subject + ".now")
	return a.Key(), err == nil
}
