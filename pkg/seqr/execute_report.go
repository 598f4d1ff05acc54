package seqr

import (
	"bytes"
	"context"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

const opExecuteReport = "executeReport"

// Reports about a period. ParseTransactionDetails reads the two that list transactions.
const (
	ReportShopTotals          = "Reconciliation/Shop.xml"
	ReportTerminalTotals      = "Reconciliation/STD_RECON_002.xml"
	ReportTransactions        = "Reconciliation/STD_RECON_003.xml"
	ReportCashierTotals       = "Reconciliation/STD_RECON_006.xml" // needs ParamTerminalID
	ReportTerminalTransaction = "Reconciliation/STD_RECON_007.xml" // needs ParamTerminalID
)

// ExecuteReport is the request for a report. It may be repeated, and is of no use earlier than about three seconds after
// the period was marked.
type ExecuteReport struct {
	As         Principal // a reseller's user
	ReportID   string    // one of the constants above, or another that the provider has
	Language   string    // may be empty
	Parameters map[string]string
}

// Report is a document made by the provider.
type Report struct {
	Title    string
	MIMEType string
	Content  []byte
}

// ExecuteReport returns a report. The error of a report that is not ready yet answers yes to [IsNotReady]. The call
// may last Config.ReportTimeout, and its answer may be Config.MaxReport bytes long.
func (c *Client) ExecuteReport(ctx context.Context, r ExecuteReport) (Report, error) {
	var report Report
	found := false
	_, err := c.do(ctx, call{
		operation: opExecuteReport,
		as:        &r.As,
		report:    true,
		write: func(e *encoder) {
			e.Text("reportId", r.ReportID)
			e.Optional("language", r.Language)
			e.parameters(r.Parameters)
		},
		read: func(s *soap.Scanner, name []byte) (err error) {
			if string(name) == "report" {
				found = true
				err = report.read(s)
			}
			return err
		},
		check: func() error { return missing(!found, "report") },
	})
	if err != nil {
		return Report{}, err
	}
	return report, nil
}

// read reads the content in either of its two forms. Where both are there, the binary one counts.
func (r *Report) read(s *soap.Scanner) error {
	binary := false
	return s.Children(func(name []byte) (err error) {
		switch string(name) {
		case "title":
			r.Title, err = s.Text()
		case "mimeType":
			r.MIMEType, err = s.Text()
		case "content":
			var data []byte
			if data, err = s.Base64(); len(data) > 0 {
				r.Content, binary = data, true
			}
		case "contentString":
			var text []byte
			if text, err = s.Bytes(); !binary {
				r.Content = bytes.Clone(text)
			}
		}
		return err
	})
}
