package orderapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Wait is how long a request waits for something to happen.
type Wait struct {
	Wait string `query:"wait" doc:"How long to wait, 0s to 25s" example:"5s"`
}

func (w Wait) duration() (time.Duration, error) {
	if w.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(w.Wait)
	if err != nil || d < 0 || d > maxWait {
		return 0, huma.Error422UnprocessableEntity("the query is not as expected",
			&huma.ErrorDetail{Location: "query.wait", Message: fmt.Sprintf("expected a duration of 0s to %s, such as 5s, got %q", maxWait, w.Wait)})
	}
	return d, nil
}

type placeInput struct {
	Wait
	Shop    string `path:"shop" doc:"The shop's id" example:"acme"`
	RawBody []byte `contentType:"application/json"`
}

// OrderPath names an order.
type OrderPath struct {
	Shop  string `path:"shop" doc:"The shop's id" example:"acme"`
	Order string `path:"order" doc:"The shop's own id of the order" example:"1001"`
}

type getInput struct {
	Wait
	OrderPath
	State string `query:"state" enum:"PREPARING,ISSUED,RESERVED,PAID,RECEIPTED,REFUNDED,CANCELED,EXPIRED,FAILED,REJECTED" doc:"With wait: the state that the caller knows" example:"ISSUED"`
}

// askInput is a request for a cancellation or a return.
type askInput struct {
	Wait
	OrderPath
	RawBody []byte `contentType:"application/json"`
}

type orderOutput struct {
	Status int
	Body   OrderState
}

type placeOutput struct {
	Status   int
	Location string `header:"Location" doc:"The path of the order"`
	Body     OrderState
}

func (a *API) place(ctx context.Context, in *placeInput) (*placeOutput, error) {
	wait, err := in.duration()
	if err != nil {
		return nil, err
	}
	shop := a.shopID(in.Shop)
	body, err := completed(in.RawBody, shop, "")
	if err != nil {
		return nil, err
	}
	order, err := events.DecodeOrder(message(shop, cmp.Or(idOf(body), "unknown"), events.Placed, body))
	if err != nil {
		return nil, wrong(err)
	}
	if order.BackURL == "" && a.ReturnURL != nil {
		order.BackURL = a.ReturnURL(shop, order.OrderID)
	}
	sub, err := a.subscribe(ctx, shop, order.OrderID)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	added, err := a.publishOnce(ctx, shop, order.OrderID, events.Placed, order, func(ctx context.Context, history []bus.Entry) (bool, error) {
		return a.wasPlaced(ctx, order, history)
	})
	if err != nil {
		return nil, err
	}
	o, err := a.load(ctx, shop, order.OrderID)
	if err != nil {
		return nil, err
	}
	o = await(ctx, sub, o, wait, func(o orderview.Order) bool { return o.Current().Known() })
	out := a.output(o, added, http.StatusCreated)
	location := "/v1/shops/" + url.PathEscape(in.Shop) + "/orders/" + url.PathEscape(o.ID)
	return &placeOutput{out.Status, location, out.Body}, nil
}

// wasPlaced says whether the order was placed before. The error says that it was with other contents, or that its invoice is another
// order's.
func (a *API) wasPlaced(ctx context.Context, order events.Order, history []bus.Entry) (bool, error) {
	for _, m := range history {
		before, err := events.DecodeOrder(m.Message)
		if err != nil || before.Key() != order.Key() {
			continue
		}
		if !before.AsksTheSame(order) {
			return true, huma.Error409Conflict(fmt.Sprintf("the invoice %q was placed before with other contents (%s %s, now %s %s); name another invoiceId to ask for another payment",
				cmp.Or(order.InvoiceID, order.OrderID), before.Total, before.Currency, order.Total, order.Currency))
		}
		return true, nil
	}
	inv, err := a.Bus.Load(ctx, order.Key())
	switch {
	case err != nil:
		return false, a.unavailable(err)
	case inv.Known() && inv.OrderID != order.OrderID:
		return false, huma.Error409Conflict(fmt.Sprintf("the invoice %q is another order's; name another invoiceId", cmp.Or(order.InvoiceID, order.OrderID)))
	}
	return false, nil
}

func (a *API) get(ctx context.Context, in *getInput) (*orderOutput, error) {
	wait, err := in.duration()
	if err != nil {
		return nil, err
	}
	shop := a.shopID(in.Shop)
	sub, err := a.subscribe(ctx, shop, in.Order)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	o, err := a.load(ctx, shop, in.Order)
	if err != nil {
		return nil, err
	}
	o = await(ctx, sub, o, wait, func(o orderview.Order) bool {
		s := a.stateOf(o)
		return in.State == "" && !s.Open || in.State != "" && s.State != in.State
	})
	return a.output(o, false, http.StatusOK), nil
}

// read gives what a request about an order waits for, the shop's id, and the body with the ids of the path.
func (a *API) read(in *askInput) (wait time.Duration, shop string, body []byte, err error) {
	if wait, err = in.duration(); err != nil {
		return 0, "", nil, err
	}
	shop = a.shopID(in.Shop)
	body, err = completed(in.RawBody, shop, in.Order)
	return wait, shop, body, err
}

func (a *API) cancel(ctx context.Context, in *askInput) (*orderOutput, error) {
	wait, shop, body, err := a.read(in)
	if err != nil {
		return nil, err
	}
	c, err := events.DecodeCancellation(message(shop, in.Order, events.OrderCanceled, body))
	if err != nil {
		return nil, wrong(err)
	}
	wish := wish{name: events.OrderCanceled, invoice: c.InvoiceID, data: c, known: func(_ orderview.Order, history []bus.Entry) (bool, error) { return wasCanceled(c, history), nil }}
	return a.ask(ctx, in.OrderPath, wait, wish, func(o orderview.Order) bool { return !o.Current().Invoice.State.Open() && o.Current().Known() })
}

// wasCanceled says whether the same cancellation is there, and covers what was placed: an order may be placed again, by another
// invoiceId, after it was canceled.
func wasCanceled(c events.Cancellation, history []bus.Entry) bool {
	for _, m := range slices.Backward(history) {
		if a, err := m.Address(); err == nil && events.OrderName(a.Event) == events.Placed {
			return false
		}
		if before, err := events.DecodeCancellation(m.Message); err == nil && before == c {
			return true
		}
	}
	return false
}

func (a *API) giveBack(ctx context.Context, in *askInput) (*orderOutput, error) {
	wait, shop, body, err := a.read(in)
	if err != nil {
		return nil, err
	}
	r, err := events.DecodeReturn(message(shop, in.Order, events.Returned, body))
	if err != nil {
		return nil, wrong(err)
	}
	if r, err = a.nameTry(ctx, r); err != nil {
		return nil, err
	}
	wish := wish{name: events.Returned, invoice: r.InvoiceID, data: r, known: func(o orderview.Order, history []bus.Entry) (bool, error) { return wasReturned(r, o, history) }}
	return a.ask(ctx, in.OrderPath, wait, wish, func(o orderview.Order) bool { return settled(o, r.RefundID) })
}

// wasReturned says whether the same return is there. The error says that it is with other contents, or that the invoice has another
// currency.
func wasReturned(r events.Return, o orderview.Order, history []bus.Entry) (bool, error) {
	currency := currencyOf(o, r)
	for _, m := range history {
		before, err := events.DecodeReturn(m.Message)
		if err != nil || before.Key() != r.Key() || before.RefundID != r.RefundID {
			continue
		}
		if before.Contents(currency) != r.Contents(currency) {
			return true, huma.Error409Conflict(fmt.Sprintf("the refundId %q was used before with other contents", r.RefundID))
		}
		return true, nil
	}
	if _, err := r.Due(events.Invoice{Currency: currency}); err != nil {
		return false, wrong(err)
	}
	return false, nil
}

// currencyOf gives the currency of the try that a return is about: another try of the order may have another.
func currencyOf(o orderview.Order, r events.Return) string {
	for _, t := range o.Tries {
		if t.InvoiceID == cmp.Or(r.InvoiceID, r.OrderID) {
			return t.Order.Currency
		}
	}
	return o.Current().Order.Currency
}

// settled says whether nothing more is to be expected of a refund soon.
func settled(o orderview.Order, refund string) bool {
	for _, t := range o.Tries {
		for _, r := range t.Invoice.Refunds {
			if r.RefundID == refund && !r.UnderWay() {
				return true
			}
		}
	}
	return false
}

// wish is a cancellation or a return.
type wish struct {
	name    events.OrderName
	invoice string // the invoiceId that it names
	data    any
	// known says whether the order's history has it.
	known func(o orderview.Order, history []bus.Entry) (bool, error)
}

// ask publishes a wish about an order that was placed, unless it is on ORDERS already, and waits until done.
func (a *API) ask(ctx context.Context, in OrderPath, wait time.Duration, w wish, done func(orderview.Order) bool) (*orderOutput, error) {
	shop := a.shopID(in.Shop)
	sub, err := a.subscribe(ctx, shop, in.Order)
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	o, err := a.load(ctx, shop, in.Order)
	if err != nil {
		return nil, err
	}
	if w.invoice != "" && !slices.ContainsFunc(o.Tries, func(t orderview.Try) bool { return t.InvoiceID == w.invoice }) {
		return nil, wrong(events.Problem{Path: "invoiceId", Expected: fmt.Sprintf("expected that of an invoice of this order, got %q", w.invoice)})
	}
	added, err := a.publishOnce(ctx, shop, in.Order, w.name, w.data, func(_ context.Context, history []bus.Entry) (bool, error) { return w.known(o, history) })
	if err != nil {
		return nil, err
	}
	return a.output(await(ctx, sub, o, wait, done), added, http.StatusAccepted), nil
}
