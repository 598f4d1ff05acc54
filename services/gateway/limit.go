package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
)

// bodyTime is how long a client may take to send a request's body; then it is cut off.
const bodyTime = 5 * time.Second

var (
	errSlow  = errors.New("the request's body did not come within 5 s")
	errLarge = errors.New("the request's body is too large")
)

// limitClients bounds the requests of one address, and the time that a body takes. The address is that of the connection, or the
// one that a trusted proxy names.
func limitClients(perMinute int, proxies []string, next http.Handler) http.Handler {
	address := middleware.ClientIPFromRemoteAddr
	if len(proxies) > 0 {
		address = middleware.ClientIPFromXFF(proxies...)
	}
	limit := httprate.LimitBy(perMinute, time.Minute, func(r *http.Request) (string, error) {
		return httprate.CanonicalizeIP(middleware.GetClientIP(r.Context())), nil
	})
	return address(limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server discards what a handler leaves unread, so the limit is for every path. Only a test's
		// recorder refuses it, and that has no connection to hold.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
		next.ServeHTTP(w, r)
	})))
}

// readBody reads the whole body. The error is errSlow or errLarge, or that of the connection.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, errSlow
	case errors.As(err, &large):
		return nil, fmt.Errorf("%w: expected at most %d bytes", errLarge, most)
	}
	return body, err
}
