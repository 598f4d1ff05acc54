package woocommerce

import (
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// The statuses of an order in WooCommerce, without the prefix "wc-". Plugins add others.
const (
	statusPending    = "pending"
	statusOnHold     = "on-hold"
	statusProcessing = "processing"
	statusCompleted  = "completed"
	statusCancelled  = "cancelled"
	statusRefunded   = "refunded"
	statusFailed     = "failed"
	statusTrash      = "trash"
)

var drafts = []string{"checkout-draft", "auto-draft", "draft"}

// TranslateOrder gives the order events that an order asks for, as it is now: the JSON of an order in a webhook or in a list
// of the REST API. A refund comes first, then what the status asks for.
func (in Inbound) TranslateOrder(shop string, body []byte) (commerce.Translation, error) {
	p, err := readPayload(body)
	if err != nil {
		return commerce.Translation{}, err
	}
	o := order{payload: p, shop: shop}
	t := commerce.Translation{Order: string(p.ID)}
	switch {
	case p.Status == "":
		return t, o.refuse("status", "missing")
	case slices.Contains(drafts, string(p.Status)):
		return commerce.Ignored(t.Order, "the order is a draft (%s)", p.Status), nil
	case !slices.Contains(in.PaymentMethods, string(p.PaymentMethod)):
		return commerce.Ignored(t.Order, "the payment method is %s, not one of %s", p.PaymentMethod.Shown(), strings.Join(in.PaymentMethods, ", ")), nil
	}
	if t.Events, err = o.returns(); err != nil {
		return t, err
	}
	e, note, err := o.byStatus()
	switch {
	case err != nil:
		t.Events = nil
		return t, err
	case e != nil:
		t.Events = append(t.Events, *e)
	}
	if len(t.Events) == 0 {
		t.Note = note
	}
	return t, nil
}

// order is an order of one shop while it is translated.
type order struct {
	payload
	shop string
}

// byStatus gives the event that the order's status asks for, or a note why there is none.
func (o *order) byStatus() (*commerce.Event, string, error) {
	switch o.Status {
	case statusPending, statusOnHold:
		return o.placed()
	case statusCancelled:
		return o.canceled(events.Cancellation{Reason: "cancelled in WooCommerce"})
	case statusTrash:
		return o.canceled(events.Cancellation{Reason: "put into the trash in WooCommerce", KeepPaid: true}) // see translateDeleted
	case statusFailed:
		// A payment attempt has failed, and WooCommerce lets the buyer try again. To cancel here would end the next attempt
		// too: seqrflow itself sets this status when an invoice has ended unpaid.
		return nil, "a payment attempt has failed; the buyer may try again", nil
	case statusProcessing, statusCompleted, statusRefunded:
		return nil, "nothing is to be paid or paid back (" + string(o.Status) + ")", nil
	}
	return nil, "the status " + o.Status.Shown() + " asks for nothing", nil
}

// placed gives the event that takes payment, unless the order needs none.
func (o *order) placed() (*commerce.Event, string, error) {
	total, err := o.Total.Amount()
	switch {
	case err != nil:
		return nil, "", o.refuse("total", err.Error())
	case total.IsZero():
		return nil, "the total is 0: nothing is to be paid", nil
	case o.DatePaid != "":
		return nil, "the order was paid before", nil
	}
	rows, sources, err := o.rows(total)
	if err != nil {
		return nil, "", err
	}
	data := events.Order{
		OrderID: string(o.ID), Shop: o.shop, Currency: string(o.Currency), Total: total, Rows: rows,
		Title: title(o.Number), BuyerKeyHash: commerce.BuyerKeyHash(string(o.OrderKey)),
	}
	e := commerce.Placed(data)
	return &e, "", e.Check(o.shop, func(path string) string { return placedSource(path, sources) })
}

// title is the order's number as the buyer knows it, in no language.
func title(number commerce.Text) string {
	shown := commerce.Described(string(number))
	if shown == "" || strings.HasPrefix(shown, "#") {
		return shown
	}
	return "#" + shown
}

func (o *order) canceled(c events.Cancellation) (*commerce.Event, string, error) {
	c.OrderID, c.Shop = string(o.ID), o.shop
	e := commerce.Canceled(c)
	return &e, "", e.Check(o.shop, ownPath)
}

func (o *order) refuse(field, expected string) error {
	return &commerce.Refusal{Order: string(o.ID), Field: field, Expected: expected}
}
