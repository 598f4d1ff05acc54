package seqr

import (
	"cmp"
	"context"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

const opSendInvoice = "sendInvoice"

// SendInvoice is the request that issues an invoice. It must not be repeated when its outcome is unknown: each
// request that arrives issues another invoice, and one whose answer was lost can't be paid, since its reference is
// not known.
type SendInvoice struct {
	As      Principal // a terminal
	Invoice Invoice
	Tokens  []CustomerToken // loyalty tokens that were swiped at the till; may be empty
}

// SentInvoice is a new invoice.
type SentInvoice struct {
	Reference    string // names the invoice in all later requests
	QRCode       string // the text of the QR code that the buyer scans
	ErsReference string
}

// SendInvoice issues an invoice. A success always has a Reference and a QRCode.
func (c *Client) SendInvoice(ctx context.Context, r SendInvoice) (SentInvoice, error) {
	var sent SentInvoice
	r.Invoice.PaymentMode = cmp.Or(r.Invoice.PaymentMode, ImmediateDebit)
	ersReference, err := c.do(ctx, call{
		operation: opSendInvoice,
		as:        &r.As,
		write: func(e *encoder) {
			e.invoice(r.Invoice)
			e.tokens(r.Tokens)
		},
		read: func(s *soap.Scanner, name []byte) (err error) {
			switch string(name) {
			case "invoiceReference":
				sent.Reference, err = s.Token()
			case "invoiceQRCode":
				sent.QRCode, err = s.Token()
			}
			return err
		},
		check: func() error { return missing(sent.Reference == "", "invoiceReference") },
	})
	if err != nil {
		return SentInvoice{}, err
	}
	sent.QRCode = cmp.Or(sent.QRCode, QRCode(sent.Reference))
	sent.ErsReference = ersReference
	return sent, nil
}
