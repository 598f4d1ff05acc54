package orderfile

import "github.com/seqrflow/seqrflow/pkg/events"

// Seen is what can be shown of an order event, valid or not.
type Seen struct {
	Name                 events.OrderName
	Shop, Order, Invoice string
	Amount, Currency     string
	Reason, RefundID     string
}

// Glance reads what it can of an order event from its stream. It takes the ids of the subject where the
// payload has none.
func Glance(subject string, body []byte) Seen {
	var s Seen
	if a, err := events.ParseSubject(subject); err == nil {
		s.Name, s.Shop, s.Order, s.Invoice = events.OrderName(a.Event), a.Shop, a.ID, a.ID
	}
	fields, err := object(body)
	if err != nil {
		return s
	}
	if _, cloud := fields["specversion"]; cloud {
		if inner, err := object(fields["data"]); err == nil {
			fields = inner
		}
	}
	take := func(key string, into ...*string) {
		if v, ok := text(fields, key); ok && v != "" {
			for _, p := range into {
				*p = v
			}
		}
	}
	take("shop", &s.Shop)
	take("orderId", &s.Order, &s.Invoice)
	take("invoiceId", &s.Invoice)
	take("currency", &s.Currency)
	take("total", &s.Amount)
	take("reason", &s.Reason)
	take("refundId", &s.RefundID)
	if s.Name == events.Returned {
		take("amount", &s.Amount)
	}
	if a, err := events.ParseAmount(s.Amount); err == nil {
		s.Amount = a.In(s.Currency)
	}
	return s
}
