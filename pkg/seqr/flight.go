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

// flight follows one request while it is sent, to know afterwards whether any of it can have arrived.
type flight struct {
	counted bool // the transport is this package's own, whose connections count what they write

	conn *countedConn
	mark int64 // bytes sent on conn before this request

	body    *watchedBody // what is known instead of conn with a transport of Config
	written atomic.Bool  // the transport has written the whole request
}

// request makes the HTTP request. It has no GetBody and no idempotency key, so net/http can't send it a
// second time: not even on a kept connection that the provider closes under it.
func (f *flight) request(ctx context.Context, to *target, body []byte) *http.Request {
	trace := &httptrace.ClientTrace{WroteRequest: f.wroteRequest}
	var reader io.ReadCloser
	if f.counted {
		trace.GotConn = f.gotConn
		reader = io.NopCloser(bytes.NewReader(body)) // a type net/http knows: head and body leave in one write
	} else {
		f.body = &watchedBody{body: body}
		reader = f.body
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

// abort ends the writing of a failed request for good, and returns how much of it can have arrived.
func (f *flight) abort() SentState {
	var untouched bool
	switch {
	case !f.counted:
		untouched = f.body.stop()
	case f.conn == nil:
		untouched = true // no connection was ever given to it
	default:
		untouched = f.conn.stopIfUnsent(f.mark)
		if untouched {
			_ = f.conn.Close()
		}
	}
	if untouched {
		return NotSent
	}
	return MaybeSent
}

// released tells whether the transport has finished with the request's memory.
func (f *flight) released() bool {
	if f.body != nil {
		f.body.stop()
		return true
	}
	return f.written.Load()
}

// watchedBody is a body that knows whether any of it was read. A request of whose body nothing was read is not complete,
// so the provider can't have acted on it.
type watchedBody struct {
	mu   sync.Mutex
	body []byte
	read bool
	done bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return 0, io.ErrClosedPipe
	}
	b.read = true
	if len(b.body) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.body)
	b.body = b.body[n:]
	return n, nil
}

// Close does nothing: transports close bodies that they never read.
func (b *watchedBody) Close() error { return nil }

// stop ends the reading, and reports true if there was none.
func (b *watchedBody) stop() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
	return !b.read
}
