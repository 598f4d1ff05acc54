package lifecycle

import (
	"bytes"
	"net"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// writer takes the place of a connection's Write.
type writer func(broker net.Conn, p []byte) (int, error)

type interceptedConn struct {
	net.Conn
	write writer
}

func (c *interceptedConn) Write(p []byte) (int, error) { return c.write(c.Conn, p) }

type intercepted struct {
	broker nats.InProcessConnProvider
	write  writer
}

func (i intercepted) InProcessConn() (net.Conn, error) {
	c, err := i.broker.InProcessConn()
	return &interceptedConn{c, i.write}, err
}

// intercept has write do all writes of a connection to the broker.
func (r system) intercept(write writer) nats.Option {
	r.t.Helper()
	var o nats.Options
	if err := r.NATS.InProcess()(&o); err != nil {
		r.t.Fatal(err)
	}
	return nats.InProcessServer(intercepted{o.InProcessServer, write})
}

// gate lets no event of an invoice through to the broker until it is opened.
type gate struct {
	reached func()
	open    chan struct{}
}

func (g gate) write(broker net.Conn, p []byte) (int, error) {
	if bytes.Contains(p, []byte("HPUB invoices.")) {
		g.reached()
		<-g.open
	}
	return broker.Write(p)
}

// withoutProgress hides from the broker that messages are being worked on, as if the process stood still.
func withoutProgress(broker net.Conn, p []byte) (int, error) {
	return broker.Write(bytes.ReplaceAll(p, []byte("+WPI"), []byte("+XXX")))
}

// unansweredRequests sends requests for an invoice, while there are any left to turn, to a subject on which nothing answers.
func unansweredRequests(left *atomic.Int32) writer {
	return func(broker net.Conn, p []byte) (int, error) {
		if bytes.Contains(p, []byte("PUB $JS.API.")) && bytes.Contains(p, []byte(".GET.INVOICES")) && left.Add(-1) >= 0 {
			return broker.Write(bytes.Replace(p, []byte("PUB $JS.API."), []byte("PUB $JS.OFF."), 1))
		}
		return broker.Write(p)
	}
}
