package seqr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// secondOpinion reads an answer's result code with the standard library: slower, and written by others.
type secondOpinion struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Body    struct {
		Answer struct {
			XMLName xml.Name
			Return  struct {
				ResultCode int           `xml:"resultCode"`
				Status     InvoiceStatus `xml:"status"`
			} `xml:"return"`
		} `xml:",any"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

// FuzzDecode looks for answers that break the decoder, and for those that are not well formed or say
// something else to the standard library's parser.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/answers/*.xml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		seed, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed, "text/xml; charset=utf-8")
	}
	for _, document := range []string{
		`<?xml version="1.0" encoding='ISO-8859-1'?><a/>`, "<?xml encoding\"0\xfa", "<?>", "<A A=\"&\"", "<A A=  ", "<AA", "<0", "  ", "\xeb\xeb0", "\u3008\xe000",
		`<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><n:getPaymentStatusResponse ` +
			`xmlns:n="http://external.interfaces.ers.seamless.com/"><return><status>0<version></version>0`,
	} {
		f.Add([]byte(document), "text/xml")
	}
	for _, contentType := range []string{"", "0", "\u2000", "0;0=\"", "0  ", "A\xd0\xd0", "text/xml; charset=utf-16le", "text/xml; charset=koi8-r"} {
		f.Add([]byte("<a/>"), contentType)
	}
	f.Fuzz(func(t *testing.T, data []byte, contentType string) {
		text, _, err := toUTF8(data, contentType)
		if err != nil {
			return
		}
		var p PaymentStatus
		a, err := soap.ReadAnswer(t.Context(), text, opGetPaymentStatus, p.read)
		var report Report
		_, _ = soap.ReadAnswer(t.Context(), text, opExecuteReport, func(s *soap.Scanner, name []byte) error { return report.read(s) })
		if err == nil {
			askASecondOpinion(t, text, a, p)
		}
	})
}

func askASecondOpinion(t *testing.T, text []byte, a soap.Answer, p PaymentStatus) {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil && !stricter(err) {
			t.Fatalf("accepted what is not well formed: %v", err)
		} else if err != nil {
			return
		}
	}
	if bytes.Contains(text, []byte("nil")) || bytes.Count(text, []byte("return")) != 2 || bytes.Contains(text, []byte("<!--")) {
		return // the standard library knows no xsi:nil, and takes no notice of namespaces
	}
	var want secondOpinion
	d = xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	if err := d.Decode(&want); err != nil || want.Body.Answer.XMLName.Local != "getPaymentStatusResponse" {
		return
	}
	if got := a.ResultCode; got != want.Body.Answer.Return.ResultCode && bytes.Count(text, []byte("resultCode")) == 2 {
		t.Errorf("result code %d, the standard library says %d", got, want.Body.Answer.Return.ResultCode)
	}
	if got := strings.TrimSpace(string(want.Body.Answer.Return.Status)); got != string(p.Status) && bytes.Count(text, []byte("status")) == 2 && bytes.IndexByte(text, '&') < 0 {
		t.Errorf("status %q, the standard library says %q", p.Status, got)
	}
}

// stricter tells the standard library's rules on the letters of names and on the XML declaration, which
// this decoder leaves out: they change nothing about what a document says.
func stricter(err error) bool {
	for _, rule := range []string{"invalid XML name", "unsupported version", "expected element name", "expected attribute name", "processing instruction", "encoding"} {
		if strings.Contains(err.Error(), rule) {
			return true
		}
	}
	return false
}

// FuzzReport looks for reports that break the parser, and for any whose rows are not all complete.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`<TransactionDetails><Meta><ResellerId>r</ResellerId></Meta><Row><SalesAmount>-1.5</SalesAmount><ErsReference>1</ErsReference></Row></TransactionDetails>`))
	f.Add([]byte(`<?xml version="1.0" encoding="latin1"?><TransactionDetails><Row><CashierId>` + "\xc5" + `</CashierId></Row></TransactionDetails>`))
	for _, document := range []string{
		"", "0", "\n", "\r0\r0", "]]>", "&", "&#x", "&#A", "&#0", "&#000", "<\n", "<? ", "<?A????0", "<?xml?>", "<?xml encoding=\"\x8clatin1\"?>00",
		"<!0", "<!--00", "<!---0-00", "<!----><!0", "<:: ", "<A A!", "<A\ue8e3 ", "<\u0494>",
		"<TransactionDetails><Meta><ResellerId>0</ResellerId></Meta><Row><SalesAmount>unt>0000</SalesAmount><Aa>0</Aaa>",
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows := 0
		meta, err := ParseTransactionDetails(data, func(r ReportRow) error {
			rows++
			if r.ErsReference == "" {
				t.Error("a row without a reference")
			}
			return nil
		})
		if meta.Rows != rows {
			t.Errorf("%d rows, counted as %d", rows, meta.Rows)
		}
		if err == nil && !bytes.Contains(data, []byte("encoding")) {
			if second := xml.Unmarshal(data, new(struct{})); second != nil && !stricter(second) {
				t.Errorf("accepted what is not well formed: %v", second)
			}
		}
	})
}
