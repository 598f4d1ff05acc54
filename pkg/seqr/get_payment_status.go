package seqr

import (
	"context"
	"errors"
)

const opGetPaymentStatus = "getPaymentStatus"

// GetPaymentStatus asks where an invoice stands. Ask once a second: a payment that is not fetched within
// 20 seconds is given back to the buyer.
type GetPaymentStatus struct {
	As               Principal
	InvoiceReference string
	Version          int // 0 at first, then the last version received
}

// PaymentStatus is where an invoice stands. The first one that says PAID confirms the payment.
type PaymentStatus struct {
	Status       InvoiceStatus
	Version      int
	ErsReference string // names the payment for receipts and refunds, once PAID
	Receipt      *PaymentReceipt
	Tokens       []CustomerToken
}

// GetPaymentStatus asks for the status of an invoice. Success always has a status, and is about that invoice.
func (c *Client) GetPaymentStatus(ctx context.Context, r GetPaymentStatus) (PaymentStatus, error) {
	p := PaymentStatus{Version: r.Version} // an answer without one has changed nothing
	a, err := c.do(ctx, call{
		operation: opGetPaymentStatus,
		as:        &r.As,
		write: func(e *encoder) {
			e.text("invoiceReference", r.InvoiceReference)
			e.integer("invoiceVersion", int64(r.Version))
		},
		read: p.read,
		check: func() error {
			switch {
			case p.Status == "":
				return errors.New("the answer has no status")
			case p.Receipt != nil && p.Receipt.InvoiceReference != "" && p.Receipt.InvoiceReference != r.InvoiceReference:
				return errors.New("the answer is about another invoice")
			}
			return nil
		},
	})
	if err != nil {
		return PaymentStatus{}, err
	}
	if p.ErsReference = a.ersReference; p.ErsReference == "" && p.Status == StatusPaid && p.Receipt != nil {
		p.ErsReference = p.Receipt.PaymentReference
	}
	return p, nil
}

func (p *PaymentStatus) read(s *scanner, name []byte) (err error) {
	switch string(name) {
	case "status":
		var text []byte
		text, err = s.token()
		p.Status = statusOf(text)
	case "receipt":
		p.Receipt, err = s.receipt()
	case "customerTokens":
		p.Tokens, err = s.customerTokens()
	case "version":
		p.Version, err = s.integer()
	}
	return err
}
