package seqr

import (
	"net/http"
	"net/url"
	"sync"
)

// Client calls one provider's endpoint. It is safe for concurrent use.
type Client struct {
	config  Config
	target  target
	shared  http.RoundTripper // keeps connections
	single  http.RoundTripper // a connection of its own for each call
	ours    bool
	buffers sync.Pool
}

// target is where requests go; nobody changes it once the client is made.
type target struct {
	url    *url.URL
	header http.Header
}

// New makes a client, or reports everything that is wrong with the settings at once.
func New(config Config) (*Client, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	u, err := url.Parse(config.Endpoint)
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, target: target{url: u, header: http.Header{
		"Content-Type": {"text/xml; charset=utf-8"},
		"Soapaction":   {`""`},
		"User-Agent":   {"seqrflow"},
		"Accept":       {"text/xml"},
		// Some proxies take silence about encodings for leave to compress.
		"Accept-Encoding": {"identity"},
	}}}
	c.buffers.New = func() any { return new(buffer) }
	if config.Transport != nil {
		c.shared, c.single = config.Transport, config.Transport
		return c, nil
	}
	c.ours = true
	single := newTransport(config.MaxConns, config.RootCAs)
	single.DisableKeepAlives = true
	c.shared, c.single = newTransport(config.MaxConns, config.RootCAs), single
	return c, nil
}

// CloseIdle closes the connections that no call is using.
func (c *Client) CloseIdle() {
	for _, t := range []http.RoundTripper{c.shared, c.single} {
		if t, ok := t.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// buffer is memory that calls hand on to one another.
type buffer struct{ b []byte }

const keepBuffersTo = 64 << 10

func (c *Client) borrow() *buffer { return c.buffers.Get().(*buffer) }

func (c *Client) giveBack(b *buffer) {
	if cap(b.b) <= keepBuffersTo {
		b.b = b.b[:0]
		c.buffers.Put(b)
	}
}
