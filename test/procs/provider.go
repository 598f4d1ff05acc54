package procs

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// Provider is a sandbox in real time, over HTTP, that notes when each invoice was polled.
type Provider struct {
	*sandbox.Sandbox
	Base  string
	Polls *audit.Polls

	mu    sync.Mutex
	begin map[string]chan struct{} // by operation, closed when its next call begins
}

// maxRequest is more than any request of these tests.
const maxRequest = 8 << 20

// NewProvider starts a sandbox that ends with the test.
func NewProvider(t testing.TB, cfg sandbox.Config) *Provider {
	t.Helper()
	sb, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", Ports(t, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{Sandbox: sb, Base: "http://" + l.Addr().String(), Polls: audit.NewPolls(), begin: map[string]chan struct{}{}}
	srv := &http.Server{Handler: p}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }() // it ends with Close, below
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-done
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Endpoint is the URL of the SOAP endpoint.
func (p *Provider) Endpoint() string { return p.Base + sandbox.Path }

// ServeHTTP passes every request to the sandbox, and notes the answered polls.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != sandbox.Path {
		p.Sandbox.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	operation := operationOf(body)
	if operation == "" {
		p.Sandbox.ServeHTTP(w, r)
		return
	}
	p.begins(operation)
	recorded := &recordedResponse{ResponseWriter: w, status: http.StatusOK}
	p.Sandbox.ServeHTTP(recorded, r)
	if recorded.status != http.StatusOK {
		return
	}
	switch response := recorded.body.Bytes(); operation {
	case "sendInvoice":
		p.Polls.Issued(element(response, "invoiceReference"))
	case "getPaymentStatus":
		p.Polls.Answered(element(body, "invoiceReference"), element(response, "status") == "ISSUED")
	}
}

// Begun is closed when the next call of the operation has come to the provider and is not answered yet.
func (p *Provider) Begun(operation string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begin[operation] == nil {
		p.begin[operation] = make(chan struct{})
	}
	return p.begin[operation]
}

func (p *Provider) begins(operation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.begin[operation]; c != nil {
		close(c)
		delete(p.begin, operation)
	}
}

func operationOf(request []byte) string {
	for _, name := range []string{"getPaymentStatus", "sendInvoice", "submitPaymentReceipt", "refundPayment", "cancelInvoice"} {
		if bytes.Contains(request, []byte(":"+name)) || bytes.Contains(request, []byte("<"+name)) {
			return name
		}
	}
	return ""
}

// element gives the text of the last element of that name.
func element(body []byte, name string) string {
	i := bytes.LastIndex(body, []byte("<"+name+">"))
	if i < 0 {
		return ""
	}
	text, _, _ := bytes.Cut(body[i+len(name)+2:], []byte("<"))
	return string(text)
}

// recordedResponse passes a response on and keeps a copy.
type recordedResponse struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recordedResponse) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recordedResponse) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

// Unwrap lets faults reach the connection beneath.
func (r *recordedResponse) Unwrap() http.ResponseWriter { return r.ResponseWriter }
