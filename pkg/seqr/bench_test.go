package seqr

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func answerFile(b testing.TB, name string) []byte {
	b.Helper()
	data, err := os.ReadFile("testdata/answers/" + name)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// BenchmarkGetPaymentStatus is a whole call over loopback, with the server's half in the same process.
func BenchmarkGetPaymentStatus(b *testing.B) {
	data := answerFile(b, "status-issued.xml")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(data)
	}))
	defer s.Close()
	c, err := New(Config{Endpoint: s.URL})
	if err != nil {
		b.Fatal(err)
	}
	defer c.CloseIdle()
	as := Terminal("till-1", "password")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.GetPaymentStatus(b.Context(), GetPaymentStatus{As: as, InvoiceReference: "1357902468013"}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkGetPaymentStatusInStep is the same with 1,000 calls under way together, as a poller with 5,000 invoices makes them.
func BenchmarkGetPaymentStatusInStep(b *testing.B) {
	r := newRounds(b, 1000)
	b.ResetTimer()
	for range b.N {
		r.round(b)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*r.calls), "µs/call")
	b.ReportMetric(float64(r.dialed.Load())/float64(b.N*r.calls), "dials/call")
}

func BenchmarkParseTransactionDetails(b *testing.B) {
	var report bytes.Buffer
	report.WriteString("<TransactionDetails>")
	for i := range 100_000 {
		fmt.Fprintf(&report, "<Row><TerminalId>till-1</TerminalId><CashierId>NULL</CashierId><SalesAmount>%d.31000</SalesAmount><ErsReference>%025d</ErsReference></Row>\n", i, i)
	}
	report.WriteString("</TransactionDetails>")
	b.SetBytes(int64(report.Len()))
	for b.Loop() {
		if _, err := ParseTransactionDetails(report.Bytes(), func(ReportRow) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
