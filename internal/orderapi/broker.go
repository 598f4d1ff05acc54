package orderapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// source of the events that the API publishes.
const source = "/seqrflow/gateway/api"

// brokerTime is how long one step of a request may take at the broker.
const brokerTime = 6 * time.Second

// publishOnce publishes an event of an order unless its history, as known judges it, has what the event asks for; added says that it
// was published. Two requests at the same time publish it once.
func (a *API) publishOnce(ctx context.Context, shop, order string, name events.OrderName, data any, known func(context.Context, []bus.Entry) (bool, error)) (added bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	for {
		history, err := a.Bus.OrderHistory(ctx, events.OrderKeyOf(shop, order))
		if err != nil {
			return false, a.unavailable(err)
		}
		if is, err := known(ctx, history); is || err != nil {
			return false, err
		}
		last := uint64(0)
		if n := len(history); n > 0 {
			last = history[n-1].Seq
		}
		err = a.Bus.PublishOrderAfter(ctx, last, source, shop, order, nuid.Next(), name, data)
		switch {
		case errors.Is(err, bus.ErrMovedOn):
			continue
		case errors.Is(err, bus.ErrTooLarge):
			return false, huma.NewError(http.StatusRequestEntityTooLarge, err.Error())
		case err != nil:
			return false, a.unavailable(err)
		}
		return true, nil
	}
}

// shopID gives the shop's id as the connections file has it: the path may have its subject token.
func (a *API) shopID(shop string) string {
	if id, _, ok := a.Connections.Of(shop); ok {
		return id
	}
	return shop
}

func (a *API) subscribe(ctx context.Context, shop, order string) (*orderview.Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	sub, err := a.Hub.SubscribeOrder(ctx, events.OrderKeyOf(shop, order))
	if err != nil {
		return nil, a.unavailable(err)
	}
	return sub, nil
}

func (a *API) load(ctx context.Context, shop, order string) (orderview.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	o, err := orderview.Load(ctx, a.Bus, events.OrderKeyOf(shop, order), nil)
	switch {
	case errors.Is(err, orderview.ErrUnknown):
		return o, huma.Error404NotFound(fmt.Sprintf("the shop has placed no order %q", order))
	case err != nil:
		return o, a.unavailable(err)
	}
	return o, nil
}

// nameTry gives the return with the invoiceId of the try that it is about.
func (a *API) nameTry(ctx context.Context, r events.Return) (events.Return, error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	named, err := orderview.NameTry(ctx, a.Bus, r)
	if err != nil {
		return r, a.unavailable(err)
	}
	return named, nil
}

// await gives the order once done says yes, or as it is when the time is over or the gateway stops.
func await(ctx context.Context, sub *orderview.Subscription, o orderview.Order, wait time.Duration, done func(orderview.Order) bool) orderview.Order {
	over := time.NewTimer(wait)
	defer over.Stop()
	for !done(o) {
		select {
		case <-sub.Changed():
			for _, c := range sub.Take() {
				o, _ = o.Apply(c)
			}
		case <-over.C:
			return o
		case <-sub.Ended():
			return o
		case <-ctx.Done():
			return o
		}
	}
	return o
}

// output gives the answer: the status is first when the request added something, else 200.
func (a *API) output(o orderview.Order, added bool, first int) *orderOutput {
	status := http.StatusOK
	if added {
		status = first
	}
	return &orderOutput{Status: status, Body: a.stateOf(o)}
}
