package app

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are pipes, which know the test's clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestListenersCutSlowClientsOff: whatever a client leaves undone, its connection is closed on the test's
// clock, and an answer is waited for as long as the listener's limit says.
func TestListenersCutSlowClientsOff(t *testing.T) {
	t.Parallel()
	const whole = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	reads := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	for name, c := range map[string]struct {
		request string
		handler http.HandlerFunc
		limit   time.Duration // for the answer
		deaf    bool          // the client reads nothing
		least   time.Duration // the connection stays open for so long at least
		most    time.Duration
	}{
		"a half header":      {"GET / HTTP/1.1\r\nHo", reads, answerTime, false, 0, 10 * time.Second},
		"a half body":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", reads, answerTime, false, 0, 30 * time.Second},
		"an idle connection": {whole, reads, answerTime, false, time.Minute, 2 * time.Minute},
		"an answer that nobody reads": {whole, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
		}, answerTime, true, 0, answerTime},
		"a sandbox that takes its time": {whole, func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(10 * time.Minute)
			w.Header().Set("Connection", "close")
		}, AnswerAnyTime, false, 10 * time.Minute, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
				end := Serve(l, c.handler, c.limit, func(err error) { t.Error(err) })
				client, server := net.Pipe()
				closed := make(chan struct{})
				l.conns <- signalingConn{server, closed}
				started := time.Now()
				if _, err := io.WriteString(client, c.request); err != nil {
					t.Fatal(err)
				}
				if !c.deaf {
					go func() { _, _ = io.Copy(io.Discard, bufio.NewReader(client)) }()
				}
				select {
				case <-closed:
				case <-time.After(time.Hour):
					t.Error("still open after an hour")
				}
				if after := time.Since(started); after < c.least || after > c.most {
					t.Errorf("closed after %v", after)
				}
				_ = client.Close()
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// signalingConn tells when the server closes it.
type signalingConn struct {
	net.Conn
	closed chan struct{}
}

func (c signalingConn) Close() error {
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return c.Conn.Close()
}
