package seqr

import "context"

const opRefundPayment = "refundPayment"

// RefundPayment gives money back. It has no key that would make a repetition harmless: each one that
// arrives pays, up to the sum that was paid. An Unknown outcome must be resolved, not repeated.
type RefundPayment struct {
	As           Principal
	ErsReference string  // of the payment
	Invoice      Invoice // what is given back; its total is the amount
}

// Refunded names the refund.
type Refunded struct{ ErsReference string }

// RefundPayment gives back all or part of a payment. Success without a reference is still success.
func (c *Client) RefundPayment(ctx context.Context, r RefundPayment) (Refunded, error) {
	setDefault(&r.Invoice.PaymentMode, ImmediateDebit)
	a, err := c.do(ctx, call{
		operation: opRefundPayment,
		as:        &r.As,
		alone:     true,
		write: func(e *encoder) {
			e.text("ersReference", r.ErsReference)
			e.invoice(r.Invoice)
		},
	})
	return Refunded{ErsReference: a.ersReference}, err
}
