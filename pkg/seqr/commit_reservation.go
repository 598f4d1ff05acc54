package seqr

import "context"

const opCommitReservation = "commitReservation"

// CommitReservation turns a reservation into a payment, before its timeout ends it.
type CommitReservation struct {
	As               Principal
	InvoiceReference string
	Amount           *Amount // nil: all that was reserved
}

// CommitReservation takes what was reserved.
func (c *Client) CommitReservation(ctx context.Context, r CommitReservation) error {
	_, err := c.do(ctx, call{
		operation: opCommitReservation,
		as:        &r.As,
		alone:     true,
		write: func(e *encoder) {
			if r.Amount != nil {
				e.amount("amount", *r.Amount, "")
			}
			e.text("invoiceReference", r.InvoiceReference)
		},
	})
	return err
}
