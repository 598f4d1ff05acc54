package sandbox_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// nobody is a ResponseWriter that keeps only what tells a good answer.
type nobody struct {
	header http.Header
	status int
}

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) WriteHeader(s int)           { n.status = s }
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkGetPaymentStatus(b *testing.B) {
	s, err := sandbox.New(sandbox.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	message := envelope("getPaymentStatus", shop+named(issued(s))+`<invoiceVersion>0</invoiceVersion>`)

	b.ReportAllocs()
	body := strings.NewReader(message)
	req := httptest.NewRequest("POST", service, nil)
	req.Body = readCloser{body}
	w := &nobody{header: http.Header{}}
	for b.Loop() {
		body.Reset(message)
		s.ServeHTTP(w, req)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// BenchmarkGetPaymentStatusOverHTTP has its clients in the same process.
func BenchmarkGetPaymentStatusOverHTTP(b *testing.B) {
	s, err := sandbox.New(sandbox.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	srv := httptest.NewServer(s)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	message := envelope("getPaymentStatus", shop+named(issued(s))+`<invoiceVersion>0</invoiceVersion>`)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post(srv.URL+service, "text/xml; charset=utf-8", strings.NewReader(message))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
				b.Error(resp.Status, err)
			}
			_ = resp.Body.Close()
		}
	})
}

// BenchmarkOpenInvoices tells what an invoice of three rows that nobody has paid takes of memory.
func BenchmarkOpenInvoices(b *testing.B) {
	three := strings.Replace(bill("30.00"), rowOf("30.00"), strings.Repeat(rowOf("10.00"), 3), 1)
	message := envelope("sendInvoice", shop+three)
	for b.Loop() {
		s, err := sandbox.New(sandbox.Config{})
		if err != nil {
			b.Fatal(err)
		}
		const many = 100_000
		before := heap()
		w := &nobody{header: http.Header{}}
		for range many {
			s.ServeHTTP(w, httptest.NewRequest("POST", service, strings.NewReader(message)))
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB/100k")
		if n := len(s.Ledger().Invoices); n != many {
			b.Fatalf("%d invoices", n)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func rowOf(value string) string {
	b := bill(value)
	return b[strings.Index(b, "<invoiceRow>"):strings.Index(b, "</invoiceRows>")]
}

func issued(s *sandbox.Sandbox) string {
	tell := httptest.NewRecorder()
	s.ServeHTTP(tell, httptest.NewRequest("POST", service, strings.NewReader(envelope("sendInvoice", shop+bill("100.00")))))
	_, ref, _ := strings.Cut(tell.Body.String(), "<invoiceReference>")
	ref, _, _ = strings.Cut(ref, "<")
	return ref
}
