package seqr

import (
	"errors"
	"time"

	"github.com/govalues/decimal"
)

// errDetail marks what can't be read in a part of an answer that decides nothing.
var errDetail = errors.New("unreadable detail")

func (s *scanner) receipt() (*PaymentReceipt, error) {
	var r PaymentReceipt
	err := s.children(func(name []byte) (err error) {
		switch string(name) {
		case "terminalId":
			err = s.into(&r.TerminalID)
		case "paymentDate":
			r.PaymentDate, err = s.time()
		case "clientInvoiceId":
			err = s.into(&r.ClientInvoiceID)
		case "invoiceReference":
			err = s.tokenInto(&r.InvoiceReference)
		case "paymentReference":
			err = s.tokenInto(&r.PaymentReference)
		case "payerTerminalId":
			err = s.into(&r.PayerTerminalID)
		case "receiverName":
			err = s.into(&r.ReceiverName)
		case "invoice":
			r.Invoice, err = s.invoice()
		}
		return err
	})
	return &r, err
}

// invoice reads an invoice, or gives nil when one of its numbers makes no sense: that PAID is known matters
// more than the copy of a bill that is ours anyway.
func (s *scanner) invoice() (*Invoice, error) {
	var v Invoice
	readable := true
	err := s.children(func(name []byte) error {
		err := s.invoiceField(&v, string(name))
		if errors.Is(err, errDetail) {
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

func (s *scanner) invoiceField(v *Invoice, name string) (err error) {
	switch name {
	case "paymentMode":
		err = s.into((*string)(&v.PaymentMode))
	case "acknowledgmentMode":
		err = s.into((*string)(&v.AcknowledgmentMode))
	case "issueDate":
		v.IssueDate, err = s.time()
	case "title":
		err = s.into(&v.Title)
	case "clientInvoiceId":
		err = s.into(&v.ClientInvoiceID)
	case "invoiceRows":
		err = s.rows(v)
	case "totalAmount":
		v.Total, err = s.amount()
	case "cashierId":
		err = s.into(&v.CashierID)
	case "footer":
		err = s.into(&v.Footer)
	case "backURL":
		err = s.into(&v.BackURL)
	case "notificationUrl":
		err = s.into(&v.NotificationURL)
	case "commitReservationTimeout":
		var seconds int
		if seconds, err = s.integer(); err != nil {
			return errDetail
		}
		v.CommitReservationTimeout = time.Duration(seconds) * time.Second
	}
	return err
}

func (s *scanner) rows(v *Invoice) error {
	return s.children(func(name []byte) error {
		if string(name) != "invoiceRow" {
			return nil
		}
		var r InvoiceRow
		err := s.children(func(name []byte) error { return s.rowField(&r, string(name)) })
		v.Rows = append(v.Rows, r)
		return err
	})
}

func (s *scanner) rowField(r *InvoiceRow, name string) (err error) {
	switch name {
	case "itemDescription":
		err = s.into(&r.Description)
	case "itemDiscount":
		r.Discount, err = s.amountPointer()
	case "itemEAN":
		err = s.into(&r.EAN)
	case "itemQuantity":
		r.Quantity, err = s.detail()
	case "itemSKU":
		err = s.into(&r.SKU)
	case "itemTaxRate":
		var rate decimal.Decimal
		rate, err = s.detail()
		r.TaxRate = &rate
	case "itemTotalAmount":
		r.Total, err = s.amount()
	case "itemUnit":
		err = s.into(&r.Unit)
	case "itemUnitPrice":
		r.UnitPrice, err = s.amountPointer()
	}
	return err
}

func (s *scanner) amount() (a Amount, err error) {
	err = s.children(func(name []byte) (err error) {
		switch string(name) {
		case "currency":
			err = s.tokenInto(&a.Currency)
		case "value":
			a.Value, err = s.detail()
		}
		return err
	})
	return a, err
}

func (s *scanner) amountPointer() (*Amount, error) {
	a, err := s.amount()
	return &a, err
}

func (s *scanner) detail() (decimal.Decimal, error) {
	d, err := s.decimal()
	if err != nil {
		return d, errDetail
	}
	return d, nil
}

func (s *scanner) customerTokens() (tokens []CustomerToken, err error) {
	err = s.children(func(name []byte) error {
		if string(name) != "token" {
			return nil
		}
		var t CustomerToken
		err := s.children(func(name []byte) (err error) {
			switch string(name) {
			case "description":
				err = s.into(&t.Description)
			case "id":
				err = s.into(&t.ID)
			case "status":
				var n int
				n, err = s.integer()
				t.Status = TokenStatus(n)
			case "value":
				err = s.into(&t.Value)
			}
			return err
		})
		tokens = append(tokens, t)
		return err
	})
	return tokens, err
}
