package seqr

import (
	"cmp"
	"context"
)

const opRefundPayment = "refundPayment"

// RefundPayment is the request that returns money to the buyer. It has no key that would make a repetition harmless:
// each request that arrives is paid, up to the sum of the payment. An unknown outcome has to be found out, not repeated.
type RefundPayment struct {
	As           Principal // the terminal that the payment was made to
	ErsReference string    // of the payment
	Invoice      Invoice   // what is refunded; its Total is the amount
}

// Refunded is a refund that was made.
type Refunded struct {
	ErsReference string // of the refund; empty where the provider gives none
}

// RefundPayment refunds a payment, or a part of it. The error of a refund that would exceed the payment answers yes to
// [IsRefundLimit]. The request travels on a connection of its own.
func (c *Client) RefundPayment(ctx context.Context, r RefundPayment) (Refunded, error) {
	r.Invoice.PaymentMode = cmp.Or(r.Invoice.PaymentMode, ImmediateDebit)
	ersReference, err := c.do(ctx, call{
		operation: opRefundPayment,
		as:        &r.As,
		ownConn:   true,
		write: func(e *encoder) {
			e.Text("ersReference", r.ErsReference)
			e.invoice(r.Invoice)
		},
	})
	return Refunded{ErsReference: ersReference}, err
}
