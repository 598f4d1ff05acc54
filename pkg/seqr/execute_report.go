package seqr

import (
	"bytes"
	"context"
	"errors"
)

const opExecuteReport = "executeReport"

// Reports on a period. ParseTransactionDetails reads the two that list transactions.
const (
	ReportShopTotals          = "Reconciliation/Shop.xml"
	ReportTerminalTotals      = "Reconciliation/STD_RECON_002.xml"
	ReportTransactions        = "Reconciliation/STD_RECON_003.xml"
	ReportCashierTotals       = "Reconciliation/STD_RECON_006.xml" // needs ParamTerminalID
	ReportTerminalTransaction = "Reconciliation/STD_RECON_007.xml" // needs ParamTerminalID
)

// ExecuteReport asks for a report, about three seconds after the period was marked at the earliest.
type ExecuteReport struct {
	As         Principal
	ReportID   string
	Language   string
	Parameters map[string]string
}

// Report is a document made by the provider.
type Report struct {
	Title    string
	MIMEType string
	Content  []byte
}

// ExecuteReport gives a report. An error of class TryLater says that it is not ready.
func (c *Client) ExecuteReport(ctx context.Context, r ExecuteReport) (Report, error) {
	var report Report
	found := false
	_, err := c.do(ctx, call{
		operation: opExecuteReport,
		as:        &r.As,
		report:    true,
		write: func(e *encoder) {
			e.text("reportId", r.ReportID)
			e.optional("language", r.Language)
			e.parameters(r.Parameters)
		},
		read: func(s *scanner, name []byte) (err error) {
			if string(name) == "report" {
				found = true
				err = report.read(s)
			}
			return err
		},
		check: func() error {
			if !found {
				return errors.New("the answer has no report")
			}
			return nil
		},
	})
	if err != nil {
		return Report{}, err
	}
	return report, nil
}

// read takes the content from whichever of its two forms is there; the binary one goes first.
func (r *Report) read(s *scanner) error {
	binary := false
	return s.children(func(name []byte) (err error) {
		switch string(name) {
		case "title":
			err = s.into(&r.Title)
		case "mimeType":
			err = s.into(&r.MIMEType)
		case "content":
			var data []byte
			if data, err = s.base64(); len(data) > 0 {
				r.Content, binary = data, true
			}
		case "contentString":
			if binary {
				return nil
			}
			var text []byte
			text, err = s.text()
			r.Content = bytes.Clone(text)
		}
		return err
	})
}
