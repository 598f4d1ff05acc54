package seqr

import (
	"context"
	"errors"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

const opGetPaymentStatus = "getPaymentStatus"

// GetPaymentStatus is the request for an invoice's status. It may be repeated, and should be made once a second: the
// provider returns a payment to the buyer when PAID is not fetched within 20 seconds.
type GetPaymentStatus struct {
	As               Principal // the terminal that issued the invoice
	InvoiceReference string
	Version          int // 0 at first, then the Version of the last answer
}

// PaymentStatus is the state of an invoice at the provider. The first answer with StatusPaid confirms the payment.
type PaymentStatus struct {
	Status       InvoiceStatus
	Version      int             // grows with every change of Status
	ErsReference string          // names the payment in receipts and refunds; empty before StatusPaid
	Receipt      *PaymentReceipt // nil where the provider gives none
	Tokens       []CustomerToken // what the buyer's app showed; may be empty
}

// GetPaymentStatus returns the status of an invoice. A success always has a Status and is about that invoice.
func (c *Client) GetPaymentStatus(ctx context.Context, r GetPaymentStatus) (PaymentStatus, error) {
	p := PaymentStatus{Version: r.Version} // an answer without a version has changed nothing
	ersReference, err := c.do(ctx, call{
		operation: opGetPaymentStatus,
		as:        &r.As,
		write:     r.write,
		read:      p.read,
		status:    &p.Status,
		check: func() error {
			if p.Receipt != nil && p.Receipt.InvoiceReference != "" && p.Receipt.InvoiceReference != r.InvoiceReference {
				return errors.New("the answer is about another invoice")
			}
			return missing(p.Status == "", "status")
		},
	})
	if err != nil {
		return PaymentStatus{}, err
	}
	if p.ErsReference = ersReference; p.ErsReference == "" && p.Status == StatusPaid && p.Receipt != nil {
		p.ErsReference = p.Receipt.PaymentReference
	}
	return p, nil
}

func (r *GetPaymentStatus) write(e *encoder) {
	e.Text("invoiceReference", r.InvoiceReference)
	e.Int("invoiceVersion", int64(r.Version))
}

func (p *PaymentStatus) read(s *soap.Scanner, name []byte) (err error) {
	switch string(name) {
	case "status":
		var status string
		status, err = s.Token()
		p.Status = InvoiceStatus(status)
	case "receipt":
		p.Receipt = new(PaymentReceipt)
		err = p.Receipt.read(s)
	case "customerTokens":
		p.Tokens, err = readTokens(s)
	case "version":
		p.Version, err = s.Int()
	}
	return err
}

func (r *PaymentReceipt) read(s *soap.Scanner) error {
	return s.Children(func(name []byte) (err error) {
		switch string(name) {
		case "terminalId":
			r.TerminalID, err = s.Text()
		case "paymentDate":
			r.PaymentDate, err = s.Time()
		case "clientInvoiceId":
			r.ClientInvoiceID, err = s.Text()
		case "invoiceReference":
			r.InvoiceReference, err = s.Token()
		case "paymentReference":
			r.PaymentReference, err = s.Token()
		case "payerTerminalId":
			r.PayerTerminalID, err = s.Text()
		case "receiverName":
			r.ReceiverName, err = s.Text()
		}
		return err
	})
}

func readTokens(s *soap.Scanner) (tokens []CustomerToken, err error) {
	err = s.Children(func(name []byte) error {
		if string(name) != "token" {
			return nil
		}
		var t CustomerToken
		err := s.Children(func(name []byte) (err error) {
			switch string(name) {
			case "description":
				t.Description, err = s.Text()
			case "id":
				t.ID, err = s.Text()
			case "status":
				var n int
				n, err = s.Int()
				t.Status = TokenStatus(n)
			case "value":
				t.Value, err = s.Text()
			}
			return err
		})
		tokens = append(tokens, t)
		return err
	})
	return tokens, err
}
