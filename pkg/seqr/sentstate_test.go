package seqr_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
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

// TestLostAnswers: the provider had the request, or part of it, and its answer did not come.
func TestLostAnswers(t *testing.T) {
	for name, handle := range map[string]func(net.Conn){
		"closed after reading":  func(c net.Conn) { readRequest(t, bufio.NewReader(c)) },
		"reset after reading":   func(c net.Conn) { readRequest(t, bufio.NewReader(c)); reset(c) },
		"closed after one byte": func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) },
		"half a status line":    func(c net.Conn) { readRequest(t, bufio.NewReader(c)); _, _ = io.WriteString(c, "HTTP/1.1 2") },
		"half the headers":      func(c net.Conn) { readRequest(t, bufio.NewReader(c)); _, _ = io.WriteString(c, okay()[:30]) },
		"half the answer": func(c net.Conn) {
			readRequest(t, bufio.NewReader(c))
			_, _ = io.WriteString(c, okay()[:len(okay())-40])
		},
		"all but the last byte": func(c net.Conn) { readRequest(t, bufio.NewReader(c)); _, _ = io.WriteString(c, okay()[:len(okay())-1]) },
		"not HTTP": func(c net.Conn) {
			readRequest(t, bufio.NewReader(c))
			_, _ = io.WriteString(c, "220 smtp ready\r\n\r\n")
		},
		"an answer before asked": func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); _, _ = io.WriteString(c, okay()[:40]) },
	} {
		t.Run(name, func(t *testing.T) {
			p := listen(t, handle)
			expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: p.url})), seqr.MaybeSent)
		})
	}
}

func TestTimeoutAfterTheRequest(t *testing.T) {
	over := make(chan struct{})
	p := listen(t, func(c net.Conn) {
		readRequest(t, bufio.NewReader(c))
		<-over
	})
	err := refund(t.Context(), newClient(t, seqr.Config{Endpoint: p.url, Timeout: 50 * time.Millisecond}))
	close(over)
	expectSent(t, err, seqr.MaybeSent)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline is not the cause: %v", err)
	}
}

func TestTimeoutWithinTheAnswer(t *testing.T) {
	over := make(chan struct{})
	p := listen(t, func(c net.Conn) {
		readRequest(t, bufio.NewReader(c))
		_, _ = io.WriteString(c, okay()[:len(okay())-5])
		<-over
	})
	err := refund(t.Context(), newClient(t, seqr.Config{Endpoint: p.url, Timeout: 50 * time.Millisecond}))
	close(over)
	expectSent(t, err, seqr.MaybeSent)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline is not the cause: %v", err)
	}
}

func TestCanceledWhileThePeerReads(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 10))
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	err := newClient(t, seqr.Config{Endpoint: p.url}).SubmitPaymentReceipt(ctx, seqr.SubmitPaymentReceipt{
		As: till(), ErsReference: ers, Document: &seqr.ReceiptDocument{Data: make([]byte, 8<<20)}, // more than buffers hold
	})
	expectSent(t, err, seqr.MaybeSent)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cancellation is not the cause: %v", err)
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
	s.Config.ErrorLog = discardLog()
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

// TestFaultsAtRandom holds the client to its two promises while connections break anywhere: what it calls
// not sent has not arrived in part, and nothing arrives twice.
func TestFaultsAtRandom(t *testing.T) {
	const calls = 400
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var received, whole int
	plan := func() (readUpTo int, hardly bool) {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(2500), random.IntN(2) == 0
	}
	p := listen(t, func(c net.Conn) {
		for {
			upTo, hard := plan()
			limited := io.LimitReader(countingReader{c, func(n int) { mu.Lock(); received += n; mu.Unlock() }}, int64(upTo))
			request, err := http.ReadRequest(bufio.NewReaderSize(limited, 16))
			if err == nil {
				_, err = io.Copy(io.Discard, request.Body)
			}
			if err == nil {
				mu.Lock()
				whole++
				mu.Unlock()
			}
			switch {
			case hard:
				reset(c)
				return
			case err != nil:
				return
			}
			_, _ = io.WriteString(c, httpAnswer(answerTo("cancelInvoice", "<resultCode>0</resultCode>")))
		}
	})
	c := newClient(t, seqr.Config{Endpoint: p.url})
	outcomes := map[seqr.SentState]int{}
	for range calls {
		mu.Lock()
		receivedBefore, wholeBefore := received, whole
		mu.Unlock()
		err := cancelOne(t.Context(), c)
		mu.Lock()
		var e *seqr.Error
		switch errors.As(err, &e) {
		case true:
			outcomes[e.Sent]++
			if e.Sent == seqr.NotSent && received != receivedBefore {
				t.Errorf("%d bytes arrived of a call that ended with %v", received-receivedBefore, err)
			}
		case false:
			outcomes[seqr.Answered]++
		}
		if whole-wholeBefore > 1 {
			t.Errorf("one call arrived %d times", whole-wholeBefore)
		}
		mu.Unlock()
	}
	if outcomes[seqr.MaybeSent] == 0 || outcomes[seqr.Answered] == 0 {
		t.Errorf("the faults were not varied enough: %v", outcomes)
	}
}

type countingReader struct {
	r     io.Reader
	count func(int)
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.count(n)
	return n, err
}
