package conformance

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
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

// wire is a provider, and a server before it that keeps all messages to and from it.
type wire struct {
	t      *testing.T
	srv    *seqrtest.Server
	before *httptest.Server

	mu       sync.Mutex
	messages []message
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{t: t, srv: seqrtest.Start(t)}
	w.before = httptest.NewServer(w)
	t.Cleanup(w.before.Close)
	return w
}

func (w *wire) client(config seqr.Config) *seqr.Client {
	w.t.Helper()
	config.Endpoint = w.before.URL
	c, err := seqr.New(config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.CloseIdle)
	return c
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

// ServeHTTP implements http.Handler.
func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
		return
	}
	onward, err := http.NewRequestWithContext(r.Context(), r.Method, w.srv.Endpoint, bytes.NewReader(request))
	if err != nil {
		w.t.Error(err)
		return
	}
	onward.Header, onward.Close = r.Header, true
	resp, err := http.DefaultTransport.RoundTrip(onward)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	w.messages = append(w.messages, message{
		operation: first(operationName, request), code: first(resultCode, answer), request: request, answer: answer,
	})
	w.mu.Unlock()
	out.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	out.WriteHeader(resp.StatusCode)
	if _, err := out.Write(answer); err != nil {
		w.t.Error(err)
	}
}

func first(pattern *regexp.Regexp, in []byte) string {
	if found := pattern.FindSubmatch(in); found != nil {
		return string(found[1])
	}
	return "fault"
}
