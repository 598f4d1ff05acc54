package seqr

import (
	"net/http"
	"net/url"
	"sync"
)

// Client calls the operations of one endpoint. It is safe for concurrent use.
type Client struct {
	config  Config
	target  target
	shared  *http.Transport // keeps connections
	single  *http.Transport // a connection of its own for each call
	buffers sync.Pool
}

// target is where requests go. It does not change once the client is made.
type target struct {
	url    *url.URL
	header http.Header
}

// New returns a client. Its error names every field of config that is wrong.
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
		// Without it, some proxies compress.
		"Accept-Encoding": {"identity"},
	}}}
	c.buffers.New = func() any { return new(buffer) }
	c.shared, c.single = newTransport(config.MaxConns, config.RootCAs), newTransport(config.MaxConns, config.RootCAs)
	c.single.DisableKeepAlives = true
	return c, nil
}

// CloseIdle closes the connections that no call is using. The client remains usable.
func (c *Client) CloseIdle() {
	c.shared.CloseIdleConnections()
	c.single.CloseIdleConnections()
}

// buffer is memory that one call after another uses.
type buffer struct{ b []byte }

const keepBuffersTo = 64 << 10 // bytes; a larger one is left to the garbage collector

func (c *Client) borrow() *buffer { return c.buffers.Get().(*buffer) }

func (c *Client) giveBack(b *buffer) {
	if cap(b.b) <= keepBuffersTo {
		b.b = b.b[:0]
		c.buffers.Put(b)
	}
}
