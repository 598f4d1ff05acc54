package seqr

import (
	"context"
	"errors"
)

const opSendInvoice = "sendInvoice"

// SendInvoice asks to be paid. Repeated, it makes a second invoice: one whose answer was lost is a bill
// that nobody can pay, since nobody knows its reference.
type SendInvoice struct {
	As      Principal
	Invoice Invoice
	Tokens  []CustomerToken
}

// SentInvoice names the invoice for everything that follows.
type SentInvoice struct {
	Reference    string
	QRCode       string // the text of the code to show to the buyer
	ErsReference string
}

// SendInvoice makes an invoice. Success always has a reference.
func (c *Client) SendInvoice(ctx context.Context, r SendInvoice) (SentInvoice, error) {
	var sent SentInvoice
	setDefault(&r.Invoice.PaymentMode, ImmediateDebit)
	a, err := c.do(ctx, call{
		operation: opSendInvoice,
		as:        &r.As,
		write: func(e *encoder) {
			e.invoice(r.Invoice)
			e.tokens(r.Tokens)
		},
		read: func(s *scanner, name []byte) error {
			switch string(name) {
			case "invoiceReference":
				return s.tokenInto(&sent.Reference)
			case "invoiceQRCode":
				return s.tokenInto(&sent.QRCode)
			}
			return nil
		},
		check: func() error {
			if sent.Reference == "" {
				return errors.New("the answer has no invoiceReference")
			}
			return nil
		},
	})
	if err != nil {
		return SentInvoice{}, err
	}
	setDefault(&sent.QRCode, QRCode(sent.Reference))
	sent.ErsReference = a.ersReference
	return sent, nil
}
