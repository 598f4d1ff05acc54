package procs

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/internal/sandbox"
)

// Provider is a sandbox in real time, over HTTP, with an eye on when each invoice was asked about.
type Provider struct {
	*sandbox.Sandbox
	Base  string
	Polls *Polls

	mu    sync.Mutex
	begin map[string]chan struct{} // by operation, for those who wait for a call to begin
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
	p := &Provider{Sandbox: sb, Base: "http://" + l.Addr().String(), Polls: newPolls(), begin: map[string]chan struct{}{}}
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

// Endpoint is where SOAP is spoken.
func (p *Provider) Endpoint() string { return p.Base + sandbox.Path }

// ServeHTTP hands every request to the sandbox, and notes the answered polls.
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
	seen := &answer{ResponseWriter: w, status: http.StatusOK}
	p.Sandbox.ServeHTTP(seen, r)
	if seen.status != http.StatusOK {
		return
	}
	switch said := seen.body.Bytes(); operation {
	case "sendInvoice":
		p.Polls.issued(element(said, "invoiceReference"))
	case "getPaymentStatus":
		p.Polls.answered(element(body, "invoiceReference"), element(said, "status"))
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

// element finds the text of the last element of that name.
func element(body []byte, name string) string {
	i := bytes.LastIndex(body, []byte("<"+name+">"))
	if i < 0 {
		return ""
	}
	text, _, _ := bytes.Cut(body[i+len(name)+2:], []byte("<"))
	return string(text)
}

// answer is a response that is read along.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.body.Write(b)
	return a.ResponseWriter.Write(b)
}

// Unwrap lets faults reach the connection beneath.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
