package seqr

import "context"

const opUpdateInvoice = "updateInvoice"

// UpdateInvoice answers a buyer's scan, with loyalty tokens or without, and gives the total that comes of it; or the final
// amount of an invoice that is RESERVED, before CommitReservation.
type UpdateInvoice struct {
	As               Principal
	InvoiceReference string
	Invoice          Invoice         // without a PaymentMode, that of the bill stays
	Tokens           []CustomerToken // as received, each with its new status, and those that were swiped at the till
}

// UpdateInvoice changes an invoice that is not paid, and lets the buyer go on where the app waits for the shop.
func (c *Client) UpdateInvoice(ctx context.Context, r UpdateInvoice) error {
	_, err := c.do(ctx, call{
		operation: opUpdateInvoice,
		as:        &r.As,
		write: func(e *encoder) {
			e.text("invoiceReference", r.InvoiceReference)
			e.invoice(r.Invoice)
			e.tokens(r.Tokens)
		},
	})
	return err
}
