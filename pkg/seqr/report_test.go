package seqr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

const wholeReport = `<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<TransactionDetails xmlns:x="urn:x" version="1">
  <Meta><ResellerId>shop-1</ResellerId><TerminalId>till-1</TerminalId><TransactionPeriodId>2026031412301512300000042</TransactionPeriodId>
    <GeneratedAt>2026-03-14 23:59</GeneratedAt><New><Row>not a row</Row></New></Meta>
  <Row><TerminalId>till-1</TerminalId><CashierId>NULL</CashierId><SalesAmount>93.31000</SalesAmount><ErsReference>1</ErsReference></Row>
  <x:Rows><Row new="1"><New><SalesAmount>1</SalesAmount></New><CashierId>Åsa &amp; co</CashierId><ErsReference> 2 </ErsReference>
    <SalesAmount><![CDATA[-20.5]]></SalesAmount></Row></x:Rows>
  <Row><SalesAmount>0</SalesAmount><ErsReference>3</ErsReference></Row>
</TransactionDetails>
`

func parse(report string) ([]seqr.ReportRow, seqr.ReportMeta, error) {
	var rows []seqr.ReportRow
	meta, err := seqr.ParseTransactionDetails([]byte(report), func(row seqr.ReportRow) error {
		rows = append(rows, row)
		return nil
	})
	return rows, meta, err
}

func TestParseTransactionDetails(t *testing.T) {
	want := []seqr.ReportRow{
		{TerminalID: "till-1", SalesAmount: decimal.MustParse("93.31000"), ErsReference: "1"},
		{CashierID: "Åsa & co", SalesAmount: decimal.MustParse("-20.5"), ErsReference: "2"},
		{ErsReference: "3"},
	}
	wantMeta := seqr.ReportMeta{
		ResellerID: "shop-1", TerminalID: "till-1", TransactionPeriodID: ers, Rows: 3,
	}
	latin1 := strings.NewReplacer("UTF-8", "ISO-8859-1", "Å", "\xc5").Replace(wholeReport)
	for name, report := range map[string]string{"UTF-8": wholeReport, "ISO-8859-1": latin1} {
		rows, meta, err := parse(report)
		if diff := cmp.Diff(want, rows); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
		if diff := cmp.Diff(wantMeta, meta); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestEmptyReport(t *testing.T) {
	rows, meta, err := parse("<TransactionDetails><Meta/></TransactionDetails>")
	if len(rows) != 0 || meta.Rows != 0 || err != nil {
		t.Errorf("%v, %v, %v", rows, meta, err)
	}
}

// TestDamagedReports: a report that isn't whole is an error, never a shorter report.
func TestDamagedReports(t *testing.T) {
	edit := func(old, new string) string {
		if !strings.Contains(wholeReport, old) {
			t.Fatalf("%q is not in the report", old)
		}
		return strings.Replace(wholeReport, old, new, 1)
	}
	for name, body := range map[string]string{
		"empty":             "",
		"not XML":           "REPORT_NOT_READY",
		"another report":    strings.ReplaceAll(wholeReport, "TransactionDetails", "TerminalTransactionSummary"),
		"cut between rows":  wholeReport[:strings.Index(wholeReport, "<x:Rows>")],
		"cut in a row":      wholeReport[:strings.Index(wholeReport, "<SalesAmount>0")],
		"cut in an amount":  wholeReport[:strings.Index(wholeReport, "<SalesAmount>93")+15],
		"cut at the end":    wholeReport[:len(wholeReport)-5],
		"crossed tags":      edit("</Row></x:Rows>", "</x:Rows></Row>"),
		"glued":             wholeReport + "<TransactionDetails/>",
		"text after":        wholeReport + "x",
		"no amount":         edit("<SalesAmount>0</SalesAmount>", ""),
		"two amounts":       edit("<SalesAmount>0", "<SalesAmount>1</SalesAmount><SalesAmount>0"),
		"empty amount":      edit("<SalesAmount>0", "<SalesAmount>"),
		"comma":             edit("93.31000", "93,31"),
		"amount too exact":  edit("93.31000", "93.31000000000000000001"),
		"infinite":          edit("93.31000", "Inf"),
		"no reference":      edit("<ErsReference>3</ErsReference>", ""),
		"empty reference":   edit("<ErsReference>3", "<ErsReference>"),
		"document type":     edit("<TransactionDetails", "<!DOCTYPE a><TransactionDetails"),
		"unknown entity":    edit("Åsa", "&nbsp;"),
		"invalid UTF-8":     edit("Åsa", "\xff"),
		"foreign charset":   edit("UTF-8", "EBCDIC"),
		"too deep":          edit("<Row>", strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)+"<Row>"),
		"too deep in a row": edit("<SalesAmount>0", strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)+"<SalesAmount>0"),
	} {
		if rows, meta, err := parse(body); err == nil {
			t.Errorf("%s: accepted, with rows %v and %+v", name, rows, meta)
		}
	}
}

func TestReportStopsWhereRowDoes(t *testing.T) {
	stop := errors.New("stop")
	rows := 0
	meta, err := seqr.ParseTransactionDetails([]byte(wholeReport), func(seqr.ReportRow) error {
		if rows++; rows == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || rows != 2 || meta.ResellerID != "shop-1" {
		t.Errorf("%v after %d rows, %+v", err, rows, meta)
	}
}
