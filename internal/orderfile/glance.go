package orderfile

import (
	"cmp"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Seen is what can be shown of an order event, valid or not.
type Seen struct {
	Name                 events.OrderName
	Shop, Order, Invoice string
	Amount, Currency     string
	Reason, RefundID     string
}

// Money is the amount with its currency; "" where there is no amount.
func (s Seen) Money() string {
	if s.Amount == "" {
		return ""
	}
	return strings.TrimSpace(s.Amount + " " + s.Currency)
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
	read := func(key string) string { v, _ := text(fields, key); return v }
	s.Shop, s.Order = cmp.Or(read("shop"), s.Shop), cmp.Or(read("orderId"), s.Order)
	s.Invoice = cmp.Or(read("invoiceId"), read("orderId"), s.Invoice)
	s.Currency, s.Amount, s.Reason, s.RefundID = read("currency"), read("total"), read("reason"), read("refundId")
	if s.Name == events.Returned {
		s.Amount = cmp.Or(read("amount"), s.Amount)
	}
	if a, err := events.ParseAmount(s.Amount); err == nil {
		s.Amount = a.In(s.Currency)
	}
	return s
}
