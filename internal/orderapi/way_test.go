package orderapi_test

import (
	"net"
	"sync"

	"github.com/nats-io/nats.go"
)

// way is how the API reaches the broker. It can be cut and mended.
type way struct {
	broker nats.InProcessConnProvider
	asks   func([]byte) // if set, it is called with what is sent, before it is
	mu     sync.Mutex
	isCut  bool
	conns  []net.Conn
}

func (w *way) options() []nats.Option { return []nats.Option{nats.InProcessServer(w)} }

// InProcessConn implements nats.InProcessConnProvider.
func (w *way) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		return nil, net.ErrClosed
	}
	c, err := w.broker.InProcessConn()
	if err == nil {
		if w.asks != nil {
			c = &askingConn{c, w.asks}
		}
		w.conns = append(w.conns, c)
	}
	return c, err
}

func (w *way) cut(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = is
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

type askingConn struct {
	net.Conn
	asks func([]byte)
}

// Write implements net.Conn.
func (c *askingConn) Write(p []byte) (int, error) {
	c.asks(p)
	return c.Conn.Write(p)
}
