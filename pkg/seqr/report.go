package seqr

import (
	"context"
	"errors"
	"fmt"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// ReportMeta is the head of a report that lists transactions.
type ReportMeta struct {
	ResellerID          string
	TerminalID          string // only in a report on one terminal
	TransactionPeriodID string
	Rows                int // the number of rows that were read
}

// ReportRow is one transaction: a payment, or a refund when its amount is negative.
type ReportRow struct {
	TerminalID   string
	CashierID    string // empty when the report has none
	SalesAmount  decimal.Decimal
	ErsReference string // of the payment or the refund; never empty
}

const (
	transactionDetails = "TransactionDetails"
	noCashier          = "NULL"
)

// ParseTransactionDetails reads the reports that list transactions, ReportTransactions and ReportTerminalTransaction. It
// calls row for each transaction, and stops at the first error that row returns. A row that can't be read exactly is an
// error: a sum over the others would be wrong. Elements that it does not know are skipped.
func ParseTransactionDetails(report []byte, row func(ReportRow) error) (ReportMeta, error) {
	p := reportParser{row: row}
	text, _, err := toUTF8(report, "")
	if err == nil {
		err = soap.ReadDocument(context.Background(), text, p.document)
	}
	if err != nil {
		return p.meta, fmt.Errorf("seqr: report: %w", err)
	}
	return p.meta, nil
}

type reportParser struct {
	row  func(ReportRow) error
	meta ReportMeta
}

func (p *reportParser) document(s *soap.Scanner, root []byte) error {
	if string(root) != transactionDetails {
		return fmt.Errorf("expected %s, got %.60s", transactionDetails, root)
	}
	return p.inside(s)
}

// inside looks for Meta and Row at any depth: some reports wrap their rows.
func (p *reportParser) inside(s *soap.Scanner) error {
	return s.Elements(func(name []byte) error {
		switch string(name) {
		case "Meta":
			return p.readMeta(s)
		case "Row":
			r, err := readRow(s)
			if err != nil {
				return fmt.Errorf("row %d: %w", p.meta.Rows+1, err)
			}
			p.meta.Rows++
			return p.row(r)
		}
		return p.inside(s)
	})
}

func (p *reportParser) readMeta(s *soap.Scanner) error {
	return s.Elements(func(name []byte) (err error) {
		switch string(name) {
		case "ResellerId":
			p.meta.ResellerID, err = s.Token()
		case "TerminalId":
			p.meta.TerminalID, err = s.Token()
		case "TransactionPeriodId":
			p.meta.TransactionPeriodID, err = s.Token()
		}
		return err
	})
}

func readRow(s *soap.Scanner) (r ReportRow, err error) {
	amounts := 0
	err = s.Elements(func(name []byte) (err error) {
		switch string(name) {
		case "TerminalId":
			r.TerminalID, err = s.Token()
		case "CashierId":
			if r.CashierID, err = s.Token(); r.CashierID == noCashier {
				r.CashierID = ""
			}
		case "SalesAmount":
			amounts++
			if r.SalesAmount, err = s.Decimal(); err != nil {
				err = fmt.Errorf("SalesAmount: %w", err)
			}
		case "ErsReference":
			r.ErsReference, err = s.Token()
		}
		return err
	})
	switch {
	case err != nil:
		return r, err
	case amounts != 1:
		return r, fmt.Errorf("expected one SalesAmount, got %d", amounts)
	case r.ErsReference == "":
		return r, errors.New("no ErsReference")
	}
	return r, nil
}
