// Package outbound is the HTTP client of all calls to addresses that a shop names: its system, or a webhook.
//
//	outbound.go  the client and its limits
//	address.go   which addresses it connects to
//
// Such a call must not reach what only this machine or its network can reach. The address is checked when the connection is made,
// after the name was resolved, so a name that resolves to another address the second time is refused too. No redirect is followed
// and no proxy is used.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/seqrflow/seqrflow/internal/buildinfo"
)

// The limits of each call.
const (
	Timeout   = 10 * time.Second // from the beginning to the last byte of the answer
	MaxAnswer = 64 << 10         // bytes of an answer's body, unless the client is made for larger ones
	maxHeader = 64 << 10
)

// ErrAnswerTooLarge is the error of reading more of an answer than the client takes.
var ErrAnswerTooLarge = errors.New("the answer is too large")

// Client makes calls. It is safe for concurrent use. It implements commerce.Doer.
type Client struct {
	http     *http.Client
	most     int // bytes of an answer
	resolver *net.Resolver
	refuse   func(netip.Addr) error
}

// Config of a client.
type Config struct {
	AllowPrivate bool // connects to addresses of private networks and of this machine too
	MaxAnswer    int  // bytes of an answer's body that are read; MaxAnswer unless given
}

// New makes a client.
func New(cfg Config) *Client {
	c := &Client{most: cmp.Or(cfg.MaxAnswer, MaxAnswer), refuse: func(a netip.Addr) error { return refuse(a, cfg.AllowPrivate) }}
	c.http = &http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: c.dial, Proxy: nil, ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second,
		},
	}
	return c
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Do makes one call, without following a redirect. Its errors, and those of reading the body, have the host that was called and
// nothing else of the URL, whose path and query may be secret.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && (req.URL.Scheme != "http" || !isThisMachine(req.URL.Hostname())) {
		return nil, fmt.Errorf("%s: expected https (http only to this machine)", req.URL.Host)
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "seqrflow/"+buildinfo.Read().Version)
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, withoutURL(req.URL.Host, err)
	}
	resp.Body = &answer{resp.Body, req.URL.Host, c.most}
	return resp, nil
}

// withoutURL takes the URL out of an error of the HTTP client.
func withoutURL(host string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if err = u.Err; u.Timeout() {
			err = fmt.Errorf("no answer within %s", Timeout)
		}
	}
	return fmt.Errorf("%s: %w", host, err)
}

// answer is a body of which no more than left bytes are read.
type answer struct {
	io.ReadCloser
	host string
	left int
}

// Read reads, and gives an error when there is more than the limit.
func (a *answer) Read(p []byte) (int, error) {
	if len(p) > a.left+1 {
		p = p[:a.left+1]
	}
	n, err := a.ReadCloser.Read(p)
	if n > a.left {
		return a.left, fmt.Errorf("%s: %w", a.host, ErrAnswerTooLarge)
	}
	a.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		err = withoutURL(a.host, err)
	}
	return n, err
}

// dial connects, unless the address that the name was resolved to is refused. A host that the settings name as this machine may be
// this machine.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Resolver: c.resolver, Control: func(_, resolved string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(resolved)
		switch {
		case err != nil:
			return err
		case isThisMachine(host) && at.Addr().Unmap().IsLoopback():
			return nil
		}
		return c.refuse(at.Addr())
	}}
	return d.DialContext(ctx, network, address)
}
