package woocommerce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Outbound brings an order up to date. It is safe for concurrent use.
//
// It looks at the order before each change. Only an order that still waits for payment is changed; where a person has moved it
// on, a note tells what happened. Notes have the id of the event, and none is written twice.
type Outbound struct {
	Client *Client
	// PaymentMethods are as in [Inbound]: the end of an invoice does not end an order that is to be paid by another method by now.
	PaymentMethods []string
}

var _ commerce.Outbound = (*Outbound)(nil)

// delivery is one notice, with its order as it was read.
type delivery struct {
	*Outbound
	commerce.Notice
	order payload
	path  string
}

// Deliver brings the order up to date with one event of its invoice.
func (o *Outbound) Deliver(ctx context.Context, n commerce.Notice) commerce.Result {
	handle := handlers[n.Name]
	if handle == nil {
		return commerce.Skip("the shop is not told of %s", n.Name)
	}
	if _, err := commerce.Text(n.Invoice.OrderID).ID(); err != nil {
		return commerce.Skip("the order %s is not one of WooCommerce's, whose ids are numbers", commerce.Text(n.Invoice.OrderID).Shown())
	}
	d := &delivery{Outbound: o, Notice: n, path: "/orders/" + n.Invoice.OrderID}
	a, err := o.Client.call(ctx, "read the order", http.MethodGet, d.path, nil, nil, &d.order)
	switch {
	case err != nil && errorCode(a) == invalidOrder && n.Name != events.EventPaid:
		return commerce.Skip("the order is not in the shop any more")
	case err != nil:
		return resultOf(err)
	case string(d.order.ID) != n.Invoice.OrderID: // it may be a page of a plugin: that passes, too
		return commerce.ResultOf("read the order", a, errors.New("the answer is not the order"))
	}
	return handle(d, ctx)
}

// handlers are what is done for each event; the shop is not told of others.
var handlers = map[events.Name]func(*delivery, context.Context) commerce.Result{
	events.EventPaid:          (*delivery).paid,
	events.EventRejected:      (*delivery).ended,
	events.EventCanceled:      (*delivery).ended,
	events.EventFailed:        (*delivery).ended,
	events.EventExpired:       (*delivery).ended,
	events.EventRefunded:      (*delivery).refund,
	events.EventRefundFailed:  (*delivery).refund,
	events.EventRefundUnknown: (*delivery).refund,
}

func resultOf(err error) commerce.Result {
	var failed *CallError
	if errors.As(err, &failed) {
		return failed.Result
	}
	return commerce.Result{Status: commerce.Refused, Detail: err.Error()}
}

// waits says whether the order still waits for its payment: no person has moved it on.
func (d *delivery) waits() bool {
	return d.order.DatePaid == "" && (d.order.Status == statusPending || d.order.Status == statusOnHold)
}

// update is the body of a change of an order.
type update struct {
	Status        string      `json:"status,omitempty"`
	SetPaid       bool        `json:"set_paid,omitempty"`
	TransactionID string      `json:"transaction_id,omitempty"`
	MetaData      []metaValue `json:"meta_data,omitempty"`
}

type metaValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// paid marks the order as paid. Each case that does not is told by a note.
func (d *delivery) paid(ctx context.Context) commerce.Result {
	inv, ref := d.Invoice, d.Invoice.ErsReference
	sum := inv.Total.In(inv.Currency) + " " + inv.Currency
	total, err := d.order.Total.Amount()
	switch {
	case inv.Late:
		return d.note(ctx, "A payment of %s came after the invoice had ended. It is being paid back. Reference %s.", sum, ref)
	case d.order.DatePaid != "" && string(d.order.TransactionID) == ref:
		return commerce.Done("the order is marked as paid already")
	case d.order.DatePaid != "":
		return d.note(ctx, "A payment of %s arrived, but the order is marked as paid already, so it is not changed. If both are payments with "+
			"SEQR, the second is paid back, unless seqrflow is set to keep it. Reference %s.", sum, ref)
	case err != nil || total.Cmp(inv.Total) != 0 || string(d.order.Currency) != inv.Currency:
		return d.note(ctx, "A payment of %s arrived, but the order is of %s %s by now. It is not marked as paid: please compare. Reference %s.",
			sum, d.order.Total, d.order.Currency, ref)
	case !d.waits() && d.order.Status != statusFailed: // failed: the buyer has tried again
		return d.note(ctx, "A payment of %s arrived, but the order is %s by now, so it is not changed. Reference %s.", sum, d.order.Status, ref)
	}
	return d.markPaid(ctx)
}

// markPaid asks WooCommerce to record the payment. For an order on hold set_paid does nothing, so its status is set instead.
func (d *delivery) markPaid(ctx context.Context) commerce.Result {
	change := update{SetPaid: true, TransactionID: d.Invoice.ErsReference}
	if d.order.Status == statusOnHold {
		change.SetPaid, change.Status = false, statusProcessing
	}
	if d.Invoice.InvoiceID != d.Invoice.OrderID {
		change.MetaData = []metaValue{{metaInvoice, d.Invoice.InvoiceID}} // so that a refund finds the try that was paid
	}
	after, a, err := d.change(ctx, "mark the order as paid", change)
	switch {
	case err != nil:
		return resultOf(err)
	case after.DatePaid == "":
		return commerce.Result{Status: commerce.Refused, Code: a.Code,
			Detail: fmt.Sprintf("mark the order as paid: the shop has left it unpaid, with the status %s", after.Status.Shown())}
	}
	r := commerce.Done("the order is marked as paid")
	r.Code = a.Code
	return r
}

// change updates the order, and gives it as it is then.
func (d *delivery) change(ctx context.Context, doing string, to update) (after payload, a commerce.Answer, err error) {
	a, err = d.Client.call(ctx, doing, http.MethodPut, d.path, nil, to, &after)
	if err == nil && after.ID != d.order.ID {
		err = failed(doing, a, errors.New("the answer is not the order"))
	}
	return after, a, err
}

// ended ends an order that still waits for its payment, and notes why. One that goes on by another invoice is left as it is.
func (d *delivery) ended(ctx context.Context) commerce.Result {
	if !slices.Contains(d.PaymentMethods, string(d.order.PaymentMethod)) {
		return commerce.Skip("the order is to be paid by another method by now")
	}
	known, err := d.noted(ctx)
	switch {
	case err != nil:
		return resultOf(err)
	case known:
		return commerce.Done("the shop was told before")
	}
	if d.GoesOn {
		return d.addNote(ctx, "A payment with SEQR has ended: %s. The buyer has begun another. %s", d.Name, sentence(d.Invoice.Reason))
	}
	if d.waits() {
		if _, _, err := d.change(ctx, "end the order", update{Status: d.endStatus()}); err != nil {
			return resultOf(err)
		}
	}
	return d.addNote(ctx, "The payment with SEQR has ended: %s. %s", d.Name, sentence(d.Invoice.Reason))
}

// endStatus is the order's status after its invoice has ended. It is cancelled only if the order itself was canceled. In
// every other case it is failed: the buyer may try again then, in the shop or on the checkout page. WooCommerce would report
// cancelled back as a cancellation of the order, which would end the buyer's next try too.
func (d *delivery) endStatus() string {
	if d.Name == events.EventCanceled && d.Invoice.Change.By == string(events.ActorCanceler) && d.Withdrawn {
		return statusCancelled
	}
	return statusFailed
}

// refund notes what became of a refund. A refund that was asked for elsewhere is not entered in the shop; the note says how a
// person can do it without its being paid back again.
func (d *delivery) refund(ctx context.Context) commerce.Result {
	id := d.Invoice.Change.RefundID
	r, ok := d.Invoice.Refund(id)
	if !ok {
		return commerce.Skip("the event names no refund")
	}
	what := fmt.Sprintf("Refund %s of %s %s", commerce.Described(id), r.Amount.In(d.Invoice.Currency), d.Invoice.Currency)
	switch d.Name {
	case events.EventRefundFailed:
		return d.note(ctx, "%s was not paid back. %s", what, sentence(r.Detail))
	case events.EventRefundUnknown:
		return d.note(ctx, "%s: it is not known whether it was paid back. It is not sent again. Do not refund it in another way before "+
			"this is cleared up.", what)
	}
	if slices.ContainsFunc(d.order.Refunds, func(own refund) bool { return string(own.ID) == id }) {
		return d.note(ctx, "%s was paid back. Reference %s.", what, cmp.Or(r.ErsReference, "unknown"))
	}
	return d.note(ctx, "%s was paid back. Reference %s. It was not asked for in this shop. To enter it here, make a manual refund with the "+
		"reason %q: then it is not paid back again.", what, cmp.Or(r.ErsReference, "unknown"), RefundMark+" "+commerce.Described(id))
}
