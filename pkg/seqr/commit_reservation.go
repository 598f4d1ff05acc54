package seqr

import "context"

const opCommitReservation = "commitReservation"

// CommitReservation is the request that turns a reservation into a payment. It must be made before the invoice's
// CommitReservationTimeout, and must not be repeated when its outcome is unknown: GetPaymentStatus tells it.
type CommitReservation struct {
	As               Principal // the terminal that issued the invoice
	InvoiceReference string
	Amount           *Amount // nil: all that was reserved
}

// CommitReservation takes what was reserved. The request travels on a connection of its own.
func (c *Client) CommitReservation(ctx context.Context, r CommitReservation) error {
	_, err := c.do(ctx, call{
		operation: opCommitReservation,
		as:        &r.As,
		ownConn:   true,
		write: func(e *encoder) {
			if r.Amount != nil {
				e.amount("amount", *r.Amount, "")
			}
			e.Text("invoiceReference", r.InvoiceReference)
		},
	})
	return err
}
