package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// publish stores the events that ORDERS does not have yet, and gives their names. Shops' systems tell the same thing again with each
// change of an order, and deliver things twice.
func (g *Gateway) publish(ctx context.Context, shop, system string, all []commerce.Event) (published []string, err error) {
	for _, e := range all {
		id, err := eventID(shop, e)
		if err != nil {
			return published, err
		}
		if e, err = g.completed(ctx, shop, e); err != nil {
			return published, err
		}
		known, err := g.isKnown(ctx, shop, id, e)
		if err != nil {
			return published, err
		}
		if known {
			continue
		}
		source := "/seqrflow/gateway/" + system
		if err := g.Bus.PublishOrder(ctx, source, shop, e.Order, id, e.Name, e.Data); err != nil {
			if known, _ := g.isKnown(ctx, shop, id, e); known && errors.Is(err, bus.ErrIDTaken) {
				continue // it came twice at the same moment
			}
			return published, fmt.Errorf("publish %s: %w", e.Name, err)
		}
		published = append(published, string(e.Name))
	}
	return published, nil
}

// eventID gives the id under which the event is published. A repetition of what the sender gives a name has the same; what only has the
// same name, of a sender that reuses them, has another.
func eventID(shop string, e commerce.Event) (string, error) {
	if e.ID == "" {
		return nuid.Next(), nil
	}
	data, err := events.Encode(e.Data)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, part := range []string{shop, e.ID, string(e.Name), string(data)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// completed gives the event with what the shop's system can't know: the page that the buyer's app opens after the payment, unless the
// order names one, and which try at paying the order a return is about.
func (g *Gateway) completed(ctx context.Context, shop string, e commerce.Event) (commerce.Event, error) {
	switch data := e.Data.(type) {
	case events.Order:
		if data.BackURL == "" && g.ReturnURL != nil {
			data.BackURL = g.ReturnURL(shop, data.OrderID)
		}
		e.Data = data
	case events.Return:
		r, err := orderview.NameTry(ctx, g.Bus, data)
		if err != nil {
			return e, err
		}
		e.Data = r
	}
	return e, nil
}

// isKnown says whether ORDERS has the event already: a return, and an event of this id, at any time; placed and canceled as the last
// that the shop has said of the order, so that an order may be canceled and placed again. A sender may repeat an event after later ones:
// a cancellation must not end what was placed since.
func (g *Gateway) isKnown(ctx context.Context, shop, id string, e commerce.Event) (known bool, err error) {
	body, err := events.Encode(e.Data)
	if err != nil {
		return false, err
	}
	want, err := contents(events.Message{Subject: events.OrderSubject(shop, e.Order, e.Name), Body: body})
	if err != nil {
		return false, err
	}
	repeated := false
	all := "orders." + events.Token(shop) + "." + events.Token(e.Order) + ".*"
	_, err = g.Bus.Scan(ctx, bus.Scan{Stream: events.OrdersStream, Filters: []string{all}}, func(m bus.Entry) error {
		var envelope struct {
			ID string `json:"id"`
		}
		repeated = repeated || json.Unmarshal(m.Body, &envelope) == nil && envelope.ID == id
		a, err := events.ParseSubject(m.Subject)
		if err != nil || (e.Name == events.Returned) != (a.Event == string(events.Returned)) {
			return nil
		}
		have, err := contents(m.Message)
		same := err == nil && bytes.Equal(have, want)
		known = same || known && e.Name == events.Returned
		return nil
	})
	return known || repeated, err
}

// contents gives what an order event says, however it is wrapped and spelled.
func contents(m events.Message) ([]byte, error) {
	a, err := events.ParseSubject(m.Subject)
	if err != nil {
		return nil, err
	}
	e, err := commerce.Decode(events.OrderName(a.Event), m)
	if err != nil {
		return nil, err
	}
	return events.Encode(e.Data)
}
