package seqr

import (
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

	// maxReportToken bounds what one tag or text may hold, and with it the parser's memory.
	maxReportToken = 1 << 20
)

// ParseTransactionDetails reads the reports that list transactions, ReportTransactions and ReportTerminalTransaction. It
// calls row for each transaction, in memory that does not grow with their number, and stops at the first error that row
// returns. A row that can't be read exactly is an error: a sum over the others would be wrong. Elements that it does not
// know are skipped.
func ParseTransactionDetails(r io.Reader, row func(ReportRow) error) (ReportMeta, error) {
	p := reportParser{row: row, source: &rationed{r: r}}
	p.xml = xml.NewDecoder(p.source)
	p.xml.CharsetReader = charset.NewReaderLabel
	if err := p.document(); err != nil {
		return p.meta, fmt.Errorf("seqr: report: %w", err)
	}
	return p.meta, nil
}

type reportParser struct {
	xml    *xml.Decoder
	source *rationed
	row    func(ReportRow) error
	meta   ReportMeta
}

// token reads the next token, of at most maxReportToken bytes.
func (p *reportParser) token() (xml.Token, error) {
	p.source.left = maxReportToken
	t, err := p.xml.Token()
	if _, ok := t.(xml.Directive); ok {
		return nil, errors.New("document type declarations are refused")
	}
	return t, err
}

func (p *reportParser) document() error {
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return errors.New("no element at all")
		}
		if err != nil {
			return err
		}
		root, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if root.Name.Local != transactionDetails {
			return fmt.Errorf("expected %s, got %.60s", transactionDetails, root.Name.Local)
		}
		if err := p.container(1); err != nil {
			return err
		}
		return p.end()
	}
}

// end checks that only white space and comments follow: a report that was cut and joined to another fails here.
func (p *reportParser) end() error {
	for {
		switch t, err := p.token(); t := t.(type) {
		case nil:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case xml.StartElement:
			return errors.New("a second root element")
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return errors.New("text after the report")
			}
		}
	}
}

// container looks for Meta and Row at any depth: some reports wrap their rows.
func (p *reportParser) container(depth int) error {
	if depth > soap.MaxDepth {
		return fmt.Errorf("more than %d elements inside one another", soap.MaxDepth)
	}
	for {
		t, err := p.token()
		if err != nil {
			return truncated(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			switch t.Name.Local {
			case "Meta":
				err = p.readMeta(depth)
			case "Row":
				err = p.readRow(depth)
			default:
				err = p.container(depth + 1)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (p *reportParser) readMeta(depth int) error {
	return p.fields(depth, func(name, value string) error {
		switch name {
		case "ResellerId":
			p.meta.ResellerID = value
		case "TerminalId":
			p.meta.TerminalID = value
		case "TransactionPeriodId":
			p.meta.TransactionPeriodID = value
		case "GeneratedAt":
			p.meta.GeneratedAt, _ = time.Parse(reportMinute, value) // nothing depends on it
		}
		return nil
	})
}

func (p *reportParser) readRow(depth int) error {
	var r ReportRow
	amounts := 0
	err := p.fields(depth, func(name, value string) (err error) {
		switch name {
		case "TerminalId":
			r.TerminalID = value
		case "CashierId":
			if value != noCashier {
				r.CashierID = value
			}
		case "SalesAmount":
			amounts++
			r.SalesAmount, err = soap.ParseDecimal(value)
		case "ErsReference":
			r.ErsReference = value
		}
		return err
	})
	switch {
	case err != nil:
	case amounts != 1:
		err = fmt.Errorf("expected one SalesAmount, got %d", amounts)
	case r.ErsReference == "":
		err = errors.New("no ErsReference")
	}
	if err != nil {
		return fmt.Errorf("row %d: %w", p.meta.Rows+1, err)
	}
	p.meta.Rows++
	return p.row(r)
}

// fields reads the elements inside the current one as names and trimmed texts.
func (p *reportParser) fields(depth int, field func(name, value string) error) error {
	for {
		t, err := p.token()
		if err != nil {
			return truncated(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			value, err := p.value(depth + 2)
			if err != nil {
				return err
			}
			if err := field(t.Name.Local, value); err != nil {
				return fmt.Errorf("%s: %w", t.Name.Local, err)
			}
		}
	}
}

// value reads the text of the current element, without what is in elements inside it.
func (p *reportParser) value(depth int) (string, error) {
	if depth > soap.MaxDepth {
		return "", fmt.Errorf("more than %d elements inside one another", soap.MaxDepth)
	}
	var text []byte
	for {
		t, err := p.token()
		if err != nil {
			return "", truncated(err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			return strings.TrimSpace(string(text)), nil
		case xml.CharData:
			if text = append(text, t...); len(text) > maxReportToken {
				return "", errTooLong
			}
		case xml.StartElement:
			if _, err := p.value(depth + 1); err != nil {
				return "", err
			}
		}
	}
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errTooLong = fmt.Errorf("a tag or text of more than %d bytes", maxReportToken)

// rationed stops reading once a token has used up its ration.
type rationed struct {
	r    io.Reader
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errTooLong
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
