package bus

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// IncomingPrefix stands before the subject of an order event on its way from a shop's account to the process that stores it.
const IncomingPrefix = "incoming."

// IncomingSubjects are the subjects of all order events on that way.
const IncomingSubjects = IncomingPrefix + "orders.>"

// ForwardOrders stores in ORDERS what shops with an account of their own publish, and passes the broker's answer back to them,
// until it is stopped; stop returns when what had arrived is answered, after 5 s at most. Each message is forwarded by one of the
// processes that give the same queue. A message that admit has an error for is not stored; its publisher gets the error as
// JetStream would give one, with the code 429.
//
// The message's headers that begin with Nats- are left out: they are instructions to the stream, on which a shop has no right. So
// no message is taken for a repetition of another because of its id.
func (b *Bus) ForwardOrders(queue string, admit func(shop string, bytes int) error) (stop func() error, err error) {
	js, err := jetstream.New(b.nc, jetstream.WithPublishAsyncTimeout(requestTimeout))
	if err != nil {
		return nil, err
	}
	var answers sync.WaitGroup
	sub, err := b.nc.QueueSubscribe(IncomingSubjects, queue, func(m *nats.Msg) {
		to := strings.TrimPrefix(m.Subject, IncomingPrefix)
		shop, _, _ := strings.Cut(strings.TrimPrefix(to, "orders."), ".")
		if err := admit(shop, m.Size()); err != nil {
			b.answer(m, shop, nil, &jetstream.APIError{Code: 429, Description: err.Error()})
			return
		}
		stored, err := js.PublishMsgAsync(&nats.Msg{Subject: to, Header: withoutInstructions(m.Header), Data: m.Data})
		if err != nil {
			b.answer(m, shop, nil, err)
			return
		}
		answers.Go(func() {
			select {
			case ack := <-stored.Ok():
				b.answer(m, shop, ack, nil)
			case err := <-stored.Err():
				b.answer(m, shop, nil, err)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	drained := make(chan struct{})
	sub.SetClosedHandler(func(string) { close(drained) })
	return func() error {
		if err := sub.Drain(); err != nil {
			return err
		}
		select {
		case <-drained:
			answers.Wait()
			return nil
		case <-time.After(requestTimeout):
			return errors.New("order events of shops have not all been answered")
		}
	}, b.nc.FlushTimeout(requestTimeout)
}

// answer tells the publisher whether m was stored, in the form of a JetStream acknowledgement.
func (b *Bus) answer(m *nats.Msg, shop string, ack *jetstream.PubAck, err error) {
	b.noteWrite(strings.TrimPrefix(m.Subject, IncomingPrefix), requestTimeout, err)
	if err != nil {
		b.metrics.refusedOrders.WithLabelValues(shop).Inc()
	}
	if err != nil && b.sometimes.OK("incoming orders of "+shop) {
		b.log.Warn().Err(err).Str("shop", shop).Str("subject", m.Subject).Msg("an order event of a shop was not stored; its publisher is told")
	}
	if m.Reply == "" {
		return
	}
	reply := struct {
		*jetstream.PubAck
		Error *jetstream.APIError `json:"error,omitempty"`
	}{PubAck: ack}
	if err != nil && !errors.As(err, &reply.Error) {
		reply.Error = &jetstream.APIError{Code: 503, Description: err.Error()}
	}
	body, err := json.Marshal(reply)
	if err == nil {
		err = m.Respond(body)
	}
	if err != nil && b.sometimes.OK("incoming answer") {
		b.log.Warn().Err(err).Msg("the publisher of an order event could not be answered")
	}
}

// withoutInstructions gives the header without the instructions to the broker.
func withoutInstructions(h nats.Header) nats.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(strings.ToLower(name), "nats-") })
	return h
}
