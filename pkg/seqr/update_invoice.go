package seqr

import "context"

const opUpdateInvoice = "updateInvoice"

// UpdateInvoice is the request that changes an invoice. It answers a buyer's scan, with loyalty tokens or without,
// and gives the total that results; or it gives the final amount of an invoice that is RESERVED, before
// CommitReservation.
type UpdateInvoice struct {
	As               Principal // the terminal that issued the invoice
	InvoiceReference string
	Invoice          Invoice // an empty PaymentMode leaves that of the invoice as it is
	// Tokens are those that PaymentStatus had, each with its new status, and those that were swiped at the till.
	Tokens []CustomerToken
}

// UpdateInvoice changes an invoice that is not paid, and lets the buyer go on where the app waits for the shop.
func (c *Client) UpdateInvoice(ctx context.Context, r UpdateInvoice) error {
	_, err := c.do(ctx, call{
		operation: opUpdateInvoice,
		as:        &r.As,
		write: func(e *encoder) {
			e.Text("invoiceReference", r.InvoiceReference)
			e.invoice(r.Invoice)
			e.tokens(r.Tokens)
		},
	})
	return err
}
