package gateway_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/gateway"
)

type hinter struct {
	hints []events.Key
	err   error
}

func (h *hinter) Hint(k events.Key) error {
	h.hints = append(h.hints, k)
	return h.err
}

// handler is a gateway without shops.
func handler(t *testing.T, h gateway.Hinter) http.Handler {
	t.Helper()
	g, err := gateway.New(gateway.Config{Hints: h})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestNotifications(t *testing.T) {
	form := "invoiceReference=1234567890123"
	for _, c := range []struct {
		method, path, body string
		broken             bool
		status, hints      int
	}{
		{"POST", "/notify/acme/1001", form, false, http.StatusNoContent, 1},
		{"POST", "/notify/acme/1001", "", false, http.StatusNoContent, 1},
		{"POST", "/notify/acme/10.01", form, false, http.StatusBadRequest, 0},
		{"POST", "/notify/acme/%3E", form, false, http.StatusBadRequest, 0},
		{"POST", "/notify/acme/1001", strings.Repeat("x", 5000), false, http.StatusBadRequest, 0},
		{"POST", "/notify/acme", form, false, http.StatusNotFound, 0},
		{"GET", "/notify/acme/1001", "", false, http.StatusMethodNotAllowed, 0},
		{"POST", "/notify/acme/1001", form, true, http.StatusServiceUnavailable, 1},
	} {
		h := &hinter{}
		if c.broken {
			h.err = errors.New("no broker")
		}
		req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		handler(t, h).ServeHTTP(w, req)
		if w.Code != c.status || len(h.hints) != c.hints {
			t.Errorf("%s %s: %d with %d hints; want %d with %d", c.method, c.path, w.Code, len(h.hints), c.status, c.hints)
		}
		if len(h.hints) > 0 && h.hints[0] != (events.Key{Shop: "acme", Invoice: "1001"}) {
			t.Errorf("hint %v", h.hints[0])
		}
	}
}
