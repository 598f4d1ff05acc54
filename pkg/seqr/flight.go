package seqr

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// flight follows one request while it is sent, to know afterwards whether any of it can have arrived.
type flight struct {
	conn    *countedConn // nil: no connection was ever given to it
	mark    int64        // bytes sent on conn before this request
	written atomic.Bool  // the transport has written the whole request, and has finished with its memory
}

// request makes the HTTP request. It has no GetBody and no idempotency key, so net/http can't send it a
// second time: not even on a kept connection that the provider closes under it.
func (f *flight) request(ctx context.Context, to *target, body []byte) *http.Request {
	trace := &httptrace.ClientTrace{GotConn: f.gotConn, WroteRequest: f.wroteRequest}
	r := &http.Request{
		Method:        http.MethodPost,
		URL:           to.url,
		Host:          to.url.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        to.header,
		Body:          io.NopCloser(bytes.NewReader(body)), // a type net/http knows: head and body leave in one write
		ContentLength: int64(len(body)),
	}
	return r.WithContext(httptrace.WithClientTrace(ctx, trace))
}

func (f *flight) gotConn(info httptrace.GotConnInfo) {
	f.conn = info.Conn.(*countedConn) // of newTransport
	f.mark = f.conn.sentBytes()
}

func (f *flight) wroteRequest(info httptrace.WroteRequestInfo) {
	if info.Err == nil {
		f.written.Store(true)
	}
}

// abort ends the writing of a failed request for good, and returns how much of it can have arrived.
func (f *flight) abort() SentState {
	switch {
	case f.conn == nil:
		return NotSent
	case f.conn.stopIfUnsent(f.mark):
		_ = f.conn.Close()
		return NotSent
	}
	return MaybeSent
}
