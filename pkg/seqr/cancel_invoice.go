package seqr

import "context"

const opCancelInvoice = "cancelInvoice"

// CancelInvoice withdraws an invoice that is not paid yet. It may be repeated: a second one is answered
// InvoiceAlreadyCanceled.
type CancelInvoice struct {
	As               Principal
	InvoiceReference string
}

// CancelInvoice withdraws an invoice.
func (c *Client) CancelInvoice(ctx context.Context, r CancelInvoice) error {
	_, err := c.do(ctx, call{
		operation: opCancelInvoice,
		as:        &r.As,
		write:     func(e *encoder) { e.text("invoiceReference", r.InvoiceReference) },
	})
	return err
}
