package woocommerce

import (
	"fmt"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// RefundMark begins the reason of a refund that a person enters in the shop for a refund that seqrflow has already made: one
// that was asked for elsewhere, or one of seqrflow's own. Such a refund is not paid back once more. The note that seqrflow
// writes to the order says so.
const RefundMark = "seqrflow"

// returns gives one event for each refund of the order: all of them each time, since the same refundId never pays twice.
// A refund's reason is left out, because people write names in it.
func (o *order) returns() ([]commerce.Event, error) {
	var list []commerce.Event
	for i, r := range o.Refunds {
		field := fmt.Sprintf("refunds[%d]", i)
		id, err := r.ID.ID()
		if err != nil {
			return nil, o.refuse(field+".id", err.Error())
		}
		total, err := r.Total.Amount()
		switch {
		case err != nil:
			return nil, o.refuse(field+".total", err.Error())
		case total.IsZero(), r.Reason.isMarked():
			continue // only goods came back, or the money has gone back already
		case total.Sign() > 0:
			return nil, o.refuse(field+".total", fmt.Sprintf("expected a negative amount, got %s", total))
		}
		amount := total.Neg()
		data := events.Return{OrderID: string(o.ID), Shop: o.shop, RefundID: id, Amount: &amount, Currency: string(o.Currency)}
		if paid := o.paidInvoice(); paid != data.OrderID {
			data.InvoiceID = paid
		}
		e := commerce.Returned(data)
		if err := e.Check(o.shop, func(path string) string { return returnedSource(path, field) }); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// returnedSource gives the payload's field for a field of a return.
func returnedSource(path, field string) string {
	switch path {
	case "amount":
		return field + ".total"
	case "refundId":
		return field + ".id"
	case "invoiceId":
		return "meta_data." + metaInvoice
	case "orderId":
		return "id"
	}
	return path
}
