package seqr

import "context"

const opUpdateInvoice = "updateInvoice"

// UpdateInvoice answers a buyer's loyalty tokens, and gives the total that comes of it.
type UpdateInvoice struct {
	As               Principal
	InvoiceReference string
	Invoice          Invoice         // without a PaymentMode, that of the bill stays
	Tokens           []CustomerToken // as received, each with its new status
}

// UpdateInvoice changes an invoice that waits for the shop's acknowledgment.
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
