package seqr

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// rounds of calls that are all under way at once.
type rounds struct {
	client *Client
	calls  int
	dialed atomic.Int64
	inside sync.WaitGroup // the calls of a round that are not at the server yet
}

func newRounds(t testing.TB, calls int) *rounds {
	t.Helper()
	r := &rounds{calls: calls}
	data := answerFile(t, "status-issued.xml")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		r.inside.Done()
		r.inside.Wait()
		_, _ = w.Write(data)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.dialed.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c, err := New(Config{Endpoint: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	r.client = c
	return r
}

func (r *rounds) round(t testing.TB) {
	t.Helper()
	r.inside.Add(r.calls)
	var g sync.WaitGroup
	for range r.calls {
		g.Go(func() {
			if _, err := r.client.GetPaymentStatus(t.Context(), GetPaymentStatus{As: Terminal("till-1", "password"), InvoiceReference: "1357902468013"}); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
}

// A connection that was needed for calls at once is kept for the next ones: making it costs more than the call.
func TestConnectionsOfCallsAtOnceAreKept(t *testing.T) {
	r := newRounds(t, 600)
	r.round(t)
	first := r.dialed.Load()
	r.round(t)
	if again := r.dialed.Load() - first; first < 600 || again > 60 {
		t.Errorf("%d connections for the first 600 calls, %d more for the next 600", first, again)
	}
}
