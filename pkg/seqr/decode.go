package seqr

import (
	"errors"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

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
		case "invoice":
			r.Invoice, err = readInvoice(s)
		}
		return err
	})
}

// errUnreadable marks a number that can't be read in the part of an answer that decides nothing.
var errUnreadable = errors.New("unreadable number")

// readInvoice reads an invoice, or gives nil when one of its numbers can't be read: to know that it is PAID matters
// more than a copy of what was sent.
func readInvoice(s *soap.Scanner) (*Invoice, error) {
	var v Invoice
	readable := true
	err := s.Children(func(name []byte) error {
		err := v.readField(s, string(name))
		if errors.Is(err, errUnreadable) {
			readable = false
			return nil
		}
		return err
	})
	if err != nil || !readable {
		return nil, err
	}
	return &v, nil
}

func (v *Invoice) readField(s *soap.Scanner, name string) (err error) {
	var text string
	switch name {
	case "paymentMode":
		text, err = s.Text()
		v.PaymentMode = PaymentMode(text)
	case "acknowledgmentMode":
		text, err = s.Text()
		v.AcknowledgmentMode = AcknowledgmentMode(text)
	case "issueDate":
		v.IssueDate, err = s.Time()
	case "title":
		v.Title, err = s.Text()
	case "clientInvoiceId":
		v.ClientInvoiceID, err = s.Text()
	case "invoiceRows":
		err = v.readRows(s)
	case "totalAmount":
		err = v.Total.read(s)
	case "cashierId":
		v.CashierID, err = s.Text()
	case "footer":
		v.Footer, err = s.Text()
	case "backURL":
		v.BackURL, err = s.Text()
	case "notificationUrl":
		v.NotificationURL, err = s.Text()
	case "commitReservationTimeout":
		var seconds int
		if seconds, err = s.Int(); err != nil {
			return errUnreadable
		}
		v.CommitReservationTimeout = time.Duration(seconds) * time.Second
	}
	return err
}

func (v *Invoice) readRows(s *soap.Scanner) error {
	return s.Children(func(name []byte) error {
		if string(name) != "invoiceRow" {
			return nil
		}
		var r InvoiceRow
		err := s.Children(func(name []byte) error { return r.readField(s, string(name)) })
		v.Rows = append(v.Rows, r)
		return err
	})
}

func (r *InvoiceRow) readField(s *soap.Scanner, name string) (err error) {
	switch name {
	case "itemDescription":
		r.Description, err = s.Text()
	case "itemDiscount":
		r.Discount = new(Amount)
		err = r.Discount.read(s)
	case "itemEAN":
		r.EAN, err = s.Text()
	case "itemQuantity":
		r.Quantity, err = readNumber(s)
	case "itemSKU":
		r.SKU, err = s.Text()
	case "itemTaxRate":
		r.TaxRate = new(decimal.Decimal)
		*r.TaxRate, err = readNumber(s)
	case "itemTotalAmount":
		err = r.Total.read(s)
	case "itemUnit":
		r.Unit, err = s.Text()
	case "itemUnitPrice":
		r.UnitPrice = new(Amount)
		err = r.UnitPrice.read(s)
	}
	return err
}

func (a *Amount) read(s *soap.Scanner) error {
	return s.Children(func(name []byte) (err error) {
		switch string(name) {
		case "currency":
			a.Currency, err = s.Token()
		case "value":
			a.Value, err = readNumber(s)
		}
		return err
	})
}

func readNumber(s *soap.Scanner) (decimal.Decimal, error) {
	d, err := s.Decimal()
	if err != nil {
		return d, errUnreadable
	}
	return d, nil
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
