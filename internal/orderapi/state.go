package orderapi

import (
	"time"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// OrderState is how an order stands.
type OrderState struct {
	Shop     string `json:"shop" doc:"The shop's id"`
	OrderID  string `json:"orderId" doc:"The shop's own id of the order"`
	State    string `json:"state" enum:"PREPARING,ISSUED,RESERVED,PAID,RECEIPTED,REFUNDED,CANCELED,EXPIRED,FAILED,REJECTED" doc:"Of the invoice that counts; PREPARING until it is recorded"`
	Open     bool   `json:"open" doc:"The buyer can still pay"`
	Paid     bool   `json:"paid" doc:"The buyer has paid, and not everything is paid back"`
	Currency string `json:"currency" doc:"ISO 4217 code" example:"SEK"`
	Total    string `json:"total" doc:"What the buyer pays" example:"149.50"`

	InvoiceID        string     `json:"invoiceId" doc:"Of the invoice that counts: the order's id, or the invoiceId of another try"`
	InvoiceReference string     `json:"invoiceReference,omitempty" doc:"The provider's name of the bill"`
	QRCode           string     `json:"qrCode,omitempty" doc:"The text of the QR code to show"`
	Link             string     `json:"link,omitempty" doc:"Opens the buyer's wallet when the shop is on the same phone"`
	CheckoutURL      string     `json:"checkoutUrl,omitempty" doc:"The page on which the buyer pays"`
	IssuedAt         *time.Time `json:"issuedAt,omitempty" doc:"When the provider had the invoice"`
	DueAt            *time.Time `json:"dueAt,omitempty" doc:"When the invoice expires, if it is not paid"`
	EndedAt          *time.Time `json:"endedAt,omitempty" doc:"When it ended unpaid"`
	Reason           string     `json:"reason,omitempty" doc:"Why it ended unpaid"`

	ErsReference string        `json:"ersReference,omitempty" doc:"The provider's name of the payment"`
	PaidAt       *time.Time    `json:"paidAt,omitempty" doc:"When the payment was seen"`
	Refunded     string        `json:"refunded,omitempty" doc:"Sum of what was paid back"`
	Refunds      []RefundState `json:"refunds,omitempty" doc:"In the order in which they were asked for"`
}

// RefundState is how one refund stands.
type RefundState struct {
	RefundID string `json:"refundId" doc:"The shop's; late, cancel and second are those that seqrflow asks for by itself"`
	Amount   string `json:"amount" doc:"What is paid back"`
	Status   string `json:"status" enum:"sending,waiting,done,failed,unknown" doc:"sending: not answered yet; waiting: the provider has not finished it; failed: refused for good; unknown: a person settles it"`
	Detail   string `json:"detail,omitempty" doc:"What became of it, for people"`
}

// preparing is the state of an order without an invoice.
const preparing = "PREPARING"

// stateOf gives what an answer says of an order.
func (a *API) stateOf(o orderview.Order) OrderState {
	t := o.Current()
	if t.Known() {
		return a.stateOfInvoice(t.Invoice)
	}
	return a.withCheckout(OrderState{
		Shop: o.Shop, OrderID: o.ID, State: preparing, Open: true, Currency: t.Order.Currency, Total: t.Order.Total.In(t.Order.Currency), InvoiceID: t.InvoiceID,
	})
}

// stateOfInvoice gives what an answer says of an order that is paid, or to be paid, by the invoice.
func (a *API) stateOfInvoice(inv events.Invoice) OrderState {
	s := OrderState{
		Shop: inv.Shop, OrderID: inv.OrderID, InvoiceID: inv.InvoiceID, State: string(inv.State), Open: inv.State.Open(),
		Paid:     inv.State.Paid() && inv.State != events.Refunded && !inv.Late,
		Currency: inv.Currency, Total: inv.Total.In(inv.Currency),
		InvoiceReference: inv.InvoiceReference, IssuedAt: inv.IssuedAt, DueAt: inv.DueAt, EndedAt: inv.EndedAt, Reason: inv.Reason,
		ErsReference: inv.ErsReference, PaidAt: inv.PaidAt,
	}
	if s.Open {
		s.QRCode, s.Link = inv.QRCode, inv.Link
	}
	if !inv.Refunded.IsZero() {
		s.Refunded = inv.Refunded.In(inv.Currency)
	}
	for _, r := range inv.Refunds {
		s.Refunds = append(s.Refunds, RefundState{r.RefundID, r.Amount.In(inv.Currency), string(r.Status), r.Detail})
	}
	return a.withCheckout(s)
}

func (a *API) withCheckout(s OrderState) OrderState {
	if a.CheckoutURL != nil {
		s.CheckoutURL = a.CheckoutURL(s.Shop, s.OrderID)
	}
	return s
}
