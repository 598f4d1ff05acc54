package seqr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	dialTimeout      = 5 * time.Second
	keepAliveEvery   = 15 * time.Second
	idleFor          = 30 * time.Second
	maxAnswerHeaders = 64 << 10
	tlsSessions      = 64
	maxIdleConns     = 4096 // as many as there are calls at once: a connection that is closed has to be made again a moment later
)

// newTransport makes a transport that speaks only HTTP/1.1: with one request at a time on a connection, it can be proved
// that no byte of a request was written.
func newTransport(maxConns int, roots *x509.CertPool) *http.Transport {
	d := dialer{
		net: net.Dialer{Timeout: dialTimeout, KeepAlive: keepAliveEvery},
		tls: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            roots,
			ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions),
		},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            d.plain,
		DialTLSContext:         d.secure,
		DisableCompression:     true,
		MaxIdleConns:           min(maxConns, maxIdleConns),
		MaxIdleConnsPerHost:    min(maxConns, maxIdleConns),
		MaxConnsPerHost:        maxConns,
		IdleConnTimeout:        idleFor,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		Protocols:              protocols,
	}
}

type dialer struct {
	net net.Dialer
	tls *tls.Config
}

func (d *dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c}, nil
}

// secure counts what is written to the TLS connection, not what that writes: handshakes and alerts are not bytes of a
// request.
func (d *dialer) secure(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	raw, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(addr); err != nil {
		_ = raw.Close()
		return nil, err
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &countedConn{Conn: c}, nil
}

// countedConn counts the bytes that the other side may have received.
type countedConn struct {
	net.Conn

	mu      sync.Mutex
	sent    int64
	stopped bool
}

// Write counts p before it is written, and afterwards subtracts what certainly was not: a write that has not ended
// counts in full. Under TLS only whole records count as written, since the other side can't decrypt a part of one.
func (c *countedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	c.sent += int64(len(p))
	c.mu.Unlock()

	n, err := c.Conn.Write(p)
	if n < len(p) {
		c.mu.Lock()
		c.sent -= int64(len(p) - n)
		c.mu.Unlock()
	}
	return n, err
}

func (c *countedConn) sentBytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// stopIfUnsent ends the writing for good if nothing was written after mark, and reports whether it did.
func (c *countedConn) stopIfUnsent(mark int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent > mark {
		return false
	}
	c.stopped = true
	return true
}
