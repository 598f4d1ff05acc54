package seqr

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// stubConn takes as many bytes as it is told, then fails.
type stubConn struct {
	net.Conn
	takes  int
	closed bool
}

var errStub = errors.New("connection failed")

func (c *stubConn) Write(p []byte) (int, error) {
	if len(p) <= c.takes {
		return len(p), nil
	}
	return c.takes, errStub
}

func (c *stubConn) Close() error { c.closed = true; return nil }

func TestFlightOnABreakingConnection(t *testing.T) {
	for name, c := range map[string]struct {
		takes, writes int
		want          SentState
	}{
		"nothing written":      {takes: 100, writes: 0, want: NotSent},
		"write took nothing":   {takes: 0, writes: 10, want: NotSent},
		"write took one byte":  {takes: 1, writes: 10, want: MaybeSent},
		"write took all of it": {takes: 10, writes: 10, want: MaybeSent},
	} {
		t.Run(name, func(t *testing.T) {
			stub := &stubConn{takes: 1000}
			conn := &countedConn{Conn: stub}
			_, _ = conn.Write(make([]byte, 500)) // an earlier request on the same connection
			stub.takes = c.takes

			var f flight
			f.gotConn(httptrace.GotConnInfo{Conn: conn})
			if c.writes > 0 {
				_, _ = conn.Write(make([]byte, c.writes))
			}
			if got := f.abort(); got != c.want {
				t.Fatalf("expected %v, got %v", c.want, got)
			}
			stub.takes = 1000
			n, err := conn.Write(make([]byte, 7))
			if c.want == NotSent && (n != 0 || err == nil || !stub.closed) {
				t.Errorf("a request called not sent could still be written: %d bytes, %v, closed %v", n, err, stub.closed)
			}
		})
	}
}

// blockingConn lets a test look at a write under way.
type blockingConn struct {
	net.Conn
	entered, release chan struct{}
}

func (c *blockingConn) Write([]byte) (int, error) {
	close(c.entered)
	<-c.release
	return 0, errStub
}

func TestWriteUnderWayCounts(t *testing.T) {
	stub := &blockingConn{entered: make(chan struct{}), release: make(chan struct{})}
	conn := &countedConn{Conn: stub}
	var f flight
	f.gotConn(httptrace.GotConnInfo{Conn: conn})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = conn.Write(make([]byte, 10))
	}()
	<-stub.entered
	if got := f.abort(); got != MaybeSent {
		t.Errorf("a write under way gave %v", got)
	}
	close(stub.release)
	<-done
}

// TestRequestsCannotBeRepeated: net/http repeats what it can rewind or is told is idempotent.
func TestRequestsCannotBeRepeated(t *testing.T) {
	var f flight
	c, err := New(Config{Endpoint: "https://provider.example/"})
	if err != nil {
		t.Fatal(err)
	}
	r := f.request(context.Background(), &c.target, []byte("x"))
	if r.GetBody != nil || r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != "" || r.ContentLength != 1 {
		t.Errorf("net/http may repeat this request: %+v", r)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || r.TLS == nil {
			t.Errorf("protocol %s, TLS %v", r.Proto, r.TLS != nil)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `<e:Envelope xmlns:e="`+soap.EnvelopeNamespace+`"><e:Body><benchmarkingNopResponse xmlns="`+
			soap.ServiceNamespace+`"><return><resultCode>0</resultCode></return></benchmarkingNopResponse></e:Body></e:Envelope>`)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c, err := New(Config{Endpoint: s.URL, RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	for range 3 {
		if err := c.BenchmarkingNop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
