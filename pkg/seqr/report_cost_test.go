package seqr

import (
	"fmt"
	"strings"
	"testing"
)

// TestReportsCostNoMoreThanTheirLength: like TestDecodingCostsNoMoreThanItsLength, for what is inside a report.
func TestReportsCostNoMoreThanTheirLength(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it is one goroutine, which the race detector only makes slow")
	}
	const size, factor, tooMuch = 6 << 10, 64, 512
	numbered := func(format string) func(int) string {
		return func(n int) string { return fmt.Sprintf(format, n) }
	}
	build := func(before string, piece func(int) string, after string, size int) []byte {
		var b strings.Builder
		b.WriteString("<TransactionDetails>" + before)
		for n := 0; b.Len() < size; n++ {
			b.WriteString(piece(n))
		}
		b.WriteString(after + "</TransactionDetails>")
		return []byte(b.String())
	}
	for name, c := range map[string]struct {
		before string
		piece  func(int) string
		after  string
	}{
		"attributes":               {"<a", numbered(` a%d=""`), "/>"},
		"declarations":             {"<a", numbered(` xmlns:p%d="u"`), "/>"},
		"the same declaration":     {"<a", same(` xmlns:p="u"`), "/>"},
		"prefixed attributes":      {`<a xmlns:p="u"`, numbered(` p:a%d=""`), "/>"},
		"declarations, elements":   {"<a" + manyNamespaces(1000) + ">", same("<b/>"), "</a>"},
		"rows":                     {"", numbered("<Row><SalesAmount>1</SalesAmount><ErsReference>%d</ErsReference></Row>"), ""},
		"fields of a row":          {"<Row><SalesAmount>1</SalesAmount>", numbered("<ErsReference>%d</ErsReference>"), "</Row>"},
		"pieces of a text":         {"<Row><ErsReference>", same("x<!---->"), "</ErsReference></Row>"},
		"elements in a text":       {"<Row><ErsReference>", same("x<a/>"), "</ErsReference></Row>"},
		"CDATA":                    {"<Row><ErsReference>", same("<![CDATA[x]]>"), "</ErsReference></Row>"},
		"references":               {"<Row><ErsReference>", same("&lt;"), "</ErsReference></Row>"},
		"an endless reference":     {"<Row><ErsReference>&", same("x"), "</ErsReference></Row>"},
		"digits":                   {"<Row><SalesAmount>0.", same("0"), "</SalesAmount></Row>"},
		"an exponent":              {"<Row><SalesAmount>1e", same("9"), "</SalesAmount></Row>"},
		"comments":                 {"", same("<!---->"), ""},
		"comments in a directive":  {"<!A ", same("<!---->"), ">"},
		"brackets in a directive":  {"<!A ", same("<"), ">"},
		"quotation in a directive": {"<!A ", same(`"<"`), ">"},
		"instructions":             {"", same("<?a?>"), ""},
		"unclosed elements":        {"", same("<a>"), ""},
	} {
		parse := func(report []byte) func() {
			return func() { _, _ = ParseTransactionDetails(report, func(ReportRow) error { return nil }) }
		}
		small, large := build(c.before, c.piece, c.after, size), build(c.before, c.piece, c.after, factor*size)
		if ratio := costRatio(parse(small), parse(large), tooMuch); ratio > tooMuch {
			t.Errorf("%s: %d times the length costs %.0f times the time", name, factor, ratio)
		}
	}
}
