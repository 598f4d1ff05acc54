package seqr_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// line is a provider made of bare connections: each goes to the handler, which does to it what it likes.
type line struct {
	url string
	all sync.WaitGroup
}

func listen(t *testing.T, handle func(net.Conn)) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &line{url: "http://" + l.Addr().String()}
	p.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.all.Wait()
	})
	return p
}

// readRequest takes one whole request off a connection.
func readRequest(t *testing.T, r *bufio.Reader) bool {
	request, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		t.Errorf("a request arrived in part: %v", err)
	}
	return true
}

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func okay() string {
	return httpAnswer(answerTo("refundPayment", "<resultCode>0</resultCode>"))
}

func httpAnswer(body string) string {
	var b strings.Builder
	_ = (&http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}).Write(&b)
	return b.String()
}

func refund(ctx context.Context, c *seqr.Client) error {
	_, err := c.RefundPayment(ctx, seqr.RefundPayment{As: till(), ErsReference: ers, Invoice: seqr.Invoice{Total: sek("5.00")}})
	return err
}

func cancelOne(ctx context.Context, c *seqr.Client) error {
	return c.CancelInvoice(ctx, seqr.CancelInvoice{As: till(), InvoiceReference: "1"})
}

func expectSent(t *testing.T, err error, want seqr.SentState) {
	t.Helper()
	var e *seqr.Error
	if !errors.As(err, &e) {
		t.Fatalf("expected an error, got %v", err)
	}
	if e.Sent != want {
		t.Errorf("expected %v, got %v: %v", want, e.Sent, err)
	}
}

func TestRefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: "http://" + addr})), seqr.NotSent)
	expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: "https://" + addr})), seqr.NotSent)
}

func TestUntrustedCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was made") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL})), seqr.NotSent)
}

func TestTimeoutInTheHandshake(t *testing.T) {
	p := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	url := strings.Replace(p.url, "http:", "https:", 1)
	expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: url, Timeout: 50 * time.Millisecond})), seqr.NotSent)
}

func TestPlainHTTPBehindHTTPS(t *testing.T) {
	p := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
	})
	url := strings.Replace(p.url, "http:", "https:", 1)
	expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: url})), seqr.NotSent)
}

// TestNoFreeConnection: a call that runs out of time in the queue for a connection was not sent.
func TestNoFreeConnection(t *testing.T) {
	asked, over := make(chan struct{}), make(chan struct{})
	p := listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		readRequest(t, r)
		close(asked)
		<-over
		_, _ = io.WriteString(c, httpAnswer(answerTo("cancelInvoice", "<resultCode>0</resultCode>")))
	})
	c := newClient(t, seqr.Config{Endpoint: p.url, MaxConns: 1})
	first := make(chan error, 1)
	go func() { first <- cancelOne(t.Context(), c) }()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	expectSent(t, cancelOne(ctx, c), seqr.NotSent)
	close(over)
	if err := <-first; err != nil {
		t.Errorf("the call that held the connection: %v", err)
	}
}

// TestKeptConnectionClosedUnderARequest: net/http would like to repeat a request on another connection when
// a kept one breaks. A provider that read it before it hung up must not see it again.
func TestKeptConnectionClosedUnderARequest(t *testing.T) {
	for name, hangUp := range map[string]func(net.Conn){"closed": func(net.Conn) {}, "reset": reset} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var connections, requests int
			count := func(n *int) int {
				mu.Lock()
				defer mu.Unlock()
				*n++
				return *n
			}
			p := listen(t, func(c net.Conn) {
				count(&connections)
				r := bufio.NewReader(c)
				for readRequest(t, r) {
					if count(&requests) == 2 {
						hangUp(c)
						return
					}
					_, _ = io.WriteString(c, httpAnswer(answerTo("cancelInvoice", "<resultCode>0</resultCode>")))
				}
			})
			c := newClient(t, seqr.Config{Endpoint: p.url})
			if err := cancelOne(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			expectSent(t, cancelOne(t.Context(), c), seqr.MaybeSent)
			mu.Lock()
			if requests != 2 || connections != 1 {
				t.Errorf("expected 2 requests on one connection, got %d on %d", requests, connections)
			}
			mu.Unlock()
			if err := cancelOne(t.Context(), c); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

// TestRefundsTravelAlone: a kept connection that breaks can't leave a refund in doubt.
func TestRefundsTravelAlone(t *testing.T) {
	var mu sync.Mutex
	seen := map[net.Conn]int{}
	p := listen(t, func(c net.Conn) {
		for r := bufio.NewReader(c); readRequest(t, r); {
			mu.Lock()
			seen[c]++
			mu.Unlock()
			_, _ = io.WriteString(c, okay())
		}
	})
	c := newClient(t, seqr.Config{Endpoint: p.url})
	for range 3 {
		if err := refund(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 3 {
		t.Errorf("3 refunds travelled on %d connections", len(seen))
	}
}
