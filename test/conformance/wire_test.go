package conformance

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/pkg/seqr/seqrtest"
)

// message is one exchange, byte for byte.
type message struct {
	operation, code string
	request, answer []byte
}

func (m message) name() string { return m.operation + "-" + m.code }

// wire is a provider, and a transport that keeps all messages to and from it.
type wire struct {
	t   *testing.T
	srv *seqrtest.Server

	mu       sync.Mutex
	messages []message
}

func newWire(t *testing.T) *wire {
	t.Helper()
	return &wire{t: t, srv: seqrtest.Start(t)}
}

func (w *wire) client(config seqr.Config) *seqr.Client {
	w.t.Helper()
	config.Transport = w
	return w.srv.Client(config)
}

func (w *wire) taken() []message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.messages
}

var (
	operationName = regexp.MustCompile(`<(?:\w+:)?Body><(?:\w+:)?(\w+)`)
	resultCode    = regexp.MustCompile(`<resultCode>(\d+)</resultCode>`)
)

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	onward := r.Clone(r.Context())
	onward.Body, onward.Close = io.NopCloser(bytes.NewReader(request)), true
	resp, err := http.DefaultTransport.RoundTrip(onward)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, message{
		operation: first(operationName, request), code: first(resultCode, answer), request: request, answer: answer,
	})
	return resp, nil
}

func first(pattern *regexp.Regexp, in []byte) string {
	if found := pattern.FindSubmatch(in); found != nil {
		return string(found[1])
	}
	return "fault"
}
