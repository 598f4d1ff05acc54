package seqr

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
)

// flight follows one request on its way out, to know afterwards whether any of it can have arrived.
type flight struct {
	ours bool // the transport is our own, with connections that count

	conn *countedConn
	mark int64 // bytes sent on conn before this request

	gate    *gate       // stands in for conn under another's transport
	written atomic.Bool // the whole request is out of the body's buffer
}

// request makes the HTTP request. It has no GetBody and no idempotency key, so net/http can't send it a
// second time: not even on a kept connection that the provider closes under it.
func (f *flight) request(ctx context.Context, to *target, body []byte) *http.Request {
	trace := &httptrace.ClientTrace{WroteRequest: f.wroteRequest}
	var reader io.ReadCloser
	if f.ours {
		trace.GotConn = f.gotConn
		reader = io.NopCloser(bytes.NewReader(body)) // a type net/http knows: head and body leave in one write
	} else {
		f.gate = &gate{body: body}
		reader = f.gate
	}
	r := &http.Request{
		Method:        http.MethodPost,
		URL:           to.url,
		Host:          to.url.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        to.header,
		Body:          reader,
		ContentLength: int64(len(body)),
	}
	return r.WithContext(httptrace.WithClientTrace(ctx, trace))
}

func (f *flight) gotConn(info httptrace.GotConnInfo) {
	if c, ok := info.Conn.(*countedConn); ok {
		f.conn, f.mark = c, c.sentBytes()
	}
}

func (f *flight) wroteRequest(info httptrace.WroteRequestInfo) {
	if info.Err == nil {
		f.written.Store(true)
	}
}

// abort makes sure that nothing more of a failed request leaves, and tells how far it got.
func (f *flight) abort() SentState {
	var untouched bool
	switch {
	case !f.ours:
		untouched = f.gate.shut()
	case f.conn == nil:
		untouched = true // no connection was ever given to it
	default:
		untouched = f.conn.sealUnless(f.mark)
		if untouched {
			_ = f.conn.Close()
		}
	}
	if untouched {
		return NotSent
	}
	return MaybeSent
}

// released tells whether the transport is done with the request's memory.
func (f *flight) released() bool {
	if f.gate != nil {
		f.gate.shut()
		return true
	}
	return f.written.Load()
}

// gate is a body that knows whether any of it was taken. A request whose body was not touched is not whole,
// so nobody can have acted on it.
type gate struct {
	mu    sync.Mutex
	body  []byte
	taken bool
	done  bool
}

func (g *gate) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done {
		return 0, io.ErrClosedPipe
	}
	g.taken = true
	if len(g.body) == 0 {
		return 0, io.EOF
	}
	n := copy(p, g.body)
	g.body = g.body[n:]
	return n, nil
}

// Close leaves the answer of shut as it is: transports close bodies they never read.
func (g *gate) Close() error { return nil }

// shut stops further reading, and reports true if there was none.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done = true
	return !g.taken
}
