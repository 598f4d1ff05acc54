package seqr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/govalues/decimal"
	"golang.org/x/net/html/charset"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// ReportMeta is the head of a report that lists transactions.
type ReportMeta struct {
	ResellerID          string
	TerminalID          string // only in a report on one terminal
	TransactionPeriodID string
	GeneratedAt         time.Time // to the minute, as UTC; zero when absent or unreadable
	Rows                int       // the number of rows that were read
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
	reportMinute       = "2006-01-02 15:04"

	// maxReportPart is how many bytes a row, the head, or a tag or text outside of them may have. It bounds the memory
	// of the parser.
	maxReportPart = 1 << 20
)

// ParseTransactionDetails reads the reports that list transactions, ReportTransactions and ReportTerminalTransaction. It
// calls row for each transaction, in memory that does not grow with their number, and stops at the first error that row
// returns. A row that can't be read exactly is an error: a sum over the others would be wrong. Elements that it does not
// know are skipped.
func ParseTransactionDetails(r io.Reader, row func(ReportRow) error) (ReportMeta, error) {
	input := &partReader{r: r}
	tokens := &reportTokens{xml: xml.NewDecoder(input)}
	tokens.xml.CharsetReader = charset.NewReaderLabel
	p := reportParser{xml: xml.NewTokenDecoder(tokens), input: input, row: row}
	if err := p.document(); err != nil {
		return p.meta, fmt.Errorf("seqr: report: %w", err)
	}
	return p.meta, nil
}

type reportParser struct {
	xml   *xml.Decoder
	input *partReader
	row   func(ReportRow) error
	meta  ReportMeta
}

// document looks for Meta and Row at any depth: some reports wrap their rows.
func (p *reportParser) document() error {
	for {
		p.input.left = maxReportPart
		t, err := p.xml.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		start, _ := t.(xml.StartElement)
		switch start.Name.Local {
		case "Meta":
			err = p.readMeta(start)
		case "Row":
			err = p.readRow(start)
		}
		if err != nil {
			return err
		}
	}
}

func (p *reportParser) readMeta(start xml.StartElement) error {
	var m struct {
		ResellerID          string `xml:"ResellerId"`
		TerminalID          string `xml:"TerminalId"`
		TransactionPeriodID string `xml:"TransactionPeriodId"`
		GeneratedAt         string
	}
	if err := p.xml.DecodeElement(&m, &start); err != nil {
		return err
	}
	p.meta.ResellerID = strings.TrimSpace(m.ResellerID)
	p.meta.TerminalID = strings.TrimSpace(m.TerminalID)
	p.meta.TransactionPeriodID = strings.TrimSpace(m.TransactionPeriodID)
	p.meta.GeneratedAt, _ = time.Parse(reportMinute, strings.TrimSpace(m.GeneratedAt)) // nothing depends on it
	return nil
}

func (p *reportParser) readRow(start xml.StartElement) error {
	var row struct {
		TerminalID   string   `xml:"TerminalId"`
		CashierID    string   `xml:"CashierId"`
		SalesAmounts []string `xml:"SalesAmount"`
		ErsReference string
	}
	if err := p.xml.DecodeElement(&row, &start); err != nil {
		return fmt.Errorf("row %d: %w", p.meta.Rows+1, err)
	}
	r := ReportRow{TerminalID: strings.TrimSpace(row.TerminalID), ErsReference: strings.TrimSpace(row.ErsReference)}
	if cashier := strings.TrimSpace(row.CashierID); cashier != noCashier {
		r.CashierID = cashier
	}
	var err error
	switch {
	case len(row.SalesAmounts) != 1:
		err = fmt.Errorf("expected one SalesAmount, got %d", len(row.SalesAmounts))
	case r.ErsReference == "":
		err = errors.New("no ErsReference")
	default:
		if r.SalesAmount, err = soap.ParseDecimal(strings.TrimSpace(row.SalesAmounts[0])); err != nil {
			err = fmt.Errorf("SalesAmount: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("row %d: %w", p.meta.Rows+1, err)
	}
	p.meta.Rows++
	return p.row(r)
}

// reportTokens refuses what encoding/xml accepts and no report has.
type reportTokens struct {
	xml   *xml.Decoder
	depth int
	root  bool // it has begun
}

// Token implements xml.TokenReader.
func (r *reportTokens) Token() (xml.Token, error) {
	t, err := r.xml.RawToken()
	if t == nil && errors.Is(err, io.EOF) && !r.root {
		return nil, errors.New("no element at all")
	}
	switch t := t.(type) {
	case xml.Directive:
		return nil, errors.New("document type declarations are refused")
	case xml.CharData:
		if r.root && r.depth == 0 && len(bytes.TrimSpace(t)) > 0 {
			return nil, errors.New("text after the report")
		}
	case xml.EndElement:
		r.depth--
	case xml.StartElement:
		switch {
		case r.root && r.depth == 0: // a report that was cut and joined to another
			return nil, errors.New("a second root element")
		case r.depth == 0 && t.Name.Local != transactionDetails:
			return nil, fmt.Errorf("expected %s, got %.60s", transactionDetails, t.Name.Local)
		case r.depth == soap.MaxDepth:
			return nil, fmt.Errorf("more than %d elements inside one another", soap.MaxDepth)
		}
		r.root = true
		r.depth++
	}
	return t, err
}

// partReader stops reading once a part of the report is too long.
type partReader struct {
	r    io.Reader
	left int // bytes
}

func (r *partReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("a part of more than %d bytes", maxReportPart)
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
