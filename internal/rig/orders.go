package rig

import (
	"encoding/json"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Amount parses a literal. It panics when it is no amount.
func Amount(s string) events.Amount {
	a, err := events.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

// Order is an order of one row in SEK.
func Order(id, total string) events.Order {
	return events.Order{OrderID: id, Shop: Shop, Currency: "SEK", Total: Amount(total),
		Rows: []events.Row{{Description: "Kaffe", Quantity: Amount("1").Decimal(), Total: Amount(total)}}}
}

// Place publishes the order.
func (r *Rig) Place(o events.Order) { r.publish(o.Shop, o.OrderID, events.Placed, o) }

// Cancel publishes the cancellation of an order.
func (r *Rig) Cancel(id string) { r.CancelTry(id, "") }

// CancelTry publishes the cancellation of one try at paying an order.
func (r *Rig) CancelTry(id, invoice string) {
	r.publish(Shop, id, events.OrderCanceled, events.Cancellation{OrderID: id, InvoiceID: invoice, Shop: Shop})
}

// Return publishes a return. The amount "" asks for all that is left.
func (r *Rig) Return(id, refundID, amount string) {
	ret := events.Return{OrderID: id, Shop: Shop, RefundID: refundID}
	if amount != "" {
		a := Amount(amount)
		ret.Amount = &a
	}
	r.publish(Shop, id, events.Returned, ret)
}

func (r *Rig) publish(shop, order string, e events.OrderName, data any) {
	r.T.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		r.T.Fatal(err)
	}
	r.Raw(events.OrderSubject(shop, order, e), body)
}

// Raw publishes any body on any subject of a stream.
func (r *Rig) Raw(subject string, body []byte) {
	r.T.Helper()
	if err := r.Bus.PublishRaw(r.T.Context(), subject, "", body); err != nil {
		r.T.Fatal(err)
	}
}
