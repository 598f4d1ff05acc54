package gateway_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
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

// TestSlowBodiesAreCutOff: a client that sends a part of its request's body and stops is answered 408 and its
// connection closed, after five seconds of the test's clock. It holds nothing for longer.
func TestSlowBodiesAreCutOff(t *testing.T) {
	for name, request := range map[string]string{
		"a form":    "POST /notify/acme/1001 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ni",
		"no form":   "POST /notify/acme/1001 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\ni",
		"in chunks": "POST /notify/acme/1001 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ni\r\n",
		"no place":  "POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ni",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hinter{}
				l := pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
				srv := &http.Server{Handler: handler(t, h)} // without time-outs of its own
				ended := make(chan error, 1)
				go func() { ended <- srv.Serve(l) }()
				client, server := net.Pipe()
				l.conns <- server

				started := time.Now()
				if _, err := io.WriteString(client, request); err != nil {
					t.Fatal(err)
				}
				cutOff := make(chan struct{})
				go func() {
					defer close(cutOff)
					answer, err := http.ReadResponse(bufio.NewReader(client), nil)
					if err != nil {
						t.Errorf("no answer: %v", err)
						return
					}
					if want := map[bool]int{true: http.StatusNotFound, false: http.StatusRequestTimeout}[name == "no place"]; answer.StatusCode != want || !answer.Close {
						t.Errorf("HTTP %d, connection closed: %v", answer.StatusCode, answer.Close)
					}
					if _, err := io.Copy(io.Discard, client); err != nil && !errors.Is(err, io.EOF) {
						t.Errorf("the connection ended with %v", err)
					}
				}()
				select {
				case <-cutOff:
				case <-time.After(time.Hour):
					t.Error("the connection is still open after an hour")
					_ = client.Close()
					<-cutOff
				}
				if after := time.Since(started); after > 5500*time.Millisecond {
					t.Errorf("closed after %v", after)
				}
				if len(h.hints) != 0 {
					t.Errorf("hints %v", h.hints)
				}
				_ = client.Close()
				if err := srv.Close(); err != nil {
					t.Error(err)
				}
				<-ended
			})
		})
	}
}
