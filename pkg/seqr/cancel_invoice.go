package seqr

import "context"

const opCancelInvoice = "cancelInvoice"

// CancelInvoice is the request that cancels an invoice. It may be repeated.
type CancelInvoice struct {
	As               Principal // the terminal that issued the invoice
	InvoiceReference string
}

// CancelInvoice cancels an invoice that is not paid. The error of a second one answers yes to [IsAlreadyCanceled];
// where the buyer was first, [IsAlreadyPaid] does; and [IsBuyerConfirming] says that the buyer is about to pay.
func (c *Client) CancelInvoice(ctx context.Context, r CancelInvoice) error {
	_, err := c.do(ctx, call{
		operation: opCancelInvoice,
		as:        &r.As,
		write:     func(e *encoder) { e.Text("invoiceReference", r.InvoiceReference) },
	})
	return err
}
