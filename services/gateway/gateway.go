// Package gateway takes in what comes from outside.
//
//	serves    POST /notify/<shop>/<invoice>: the provider's notification that an invoice was paid
//	publishes hints.<shop>.<invoice> (may be lost; the poller asks by itself anyway)
//
// A notification is not authenticated and proves nothing: it only makes a poll come sooner.
//
// It also stores what shops publish to their own accounts at the broker (bus.ForwardOrders), within a Quota.
package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Hinter passes a hint on; *bus.Bus implements it.
type Hinter interface {
	Hint(events.Key) error
}

const (
	maxBody  = 4 << 10
	bodyTime = 5 * time.Second // a client that has not sent its body by then is cut off
)

// Handler answers the provider's notifications.
func Handler(h Hinter, log zerolog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /notify/{shop}/{invoice}", func(w http.ResponseWriter, r *http.Request) {
		k := events.Key{Shop: r.PathValue("shop"), Invoice: r.PathValue("invoice")}
		if !events.IsToken(k.Shop) || !events.IsToken(k.Invoice) {
			http.Error(w, "expected /notify/<shop>/<invoice>, each 1 to 64 of A-Z a-z 0-9 _ -", http.StatusBadRequest)
			return
		}
		if err := readForm(w, r); errors.Is(err, os.ErrDeadlineExceeded) {
			w.Header().Set("Connection", "close")
			http.Error(w, "the request's body did not come in time", http.StatusRequestTimeout)
			return
		} else if err != nil {
			http.Error(w, "expected a form with invoiceReference", http.StatusBadRequest)
			return
		}
		if err := h.Hint(k); err != nil {
			log.Warn().Err(err).Str("shop", k.Shop).Str("invoice", k.Invoice).Msg("hint not passed on; the next poll will see the payment")
			http.Error(w, "broker not reached", http.StatusServiceUnavailable)
			return
		}
		log.Debug().Str("shop", k.Shop).Str("invoice", k.Invoice).Msg("hint")
		w.WriteHeader(http.StatusNoContent)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server discards what a handler leaves unread, so the limit is for every path. Only a test's
		// recorder refuses it, and that has no connection to hold.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		mux.ServeHTTP(w, r)
	})
}

// readForm reads the whole body, also one that is no form.
func readForm(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r.ParseForm()
}
