package orderapi

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-chi/httprate"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// MinToken is how many characters a shop's token has at least.
const MinToken = 20

// tokens are the digests of the shops' tokens, by the shops' subject tokens.
type tokens map[string][][sha256.Size]byte

func readTokens(f connections.File) (tokens, error) {
	all := tokens{}
	var errs []error
	for _, shop := range f.Shops() {
		files := f.Connections[shop].APIToken
		if len(files) == 0 {
			continue
		}
		list, err := files.Read()
		if err != nil {
			errs = append(errs, fmt.Errorf("connections.%s.api_token_file: %w", shop, err))
		}
		for _, token := range list {
			if len(token) < MinToken {
				errs = append(errs, fmt.Errorf("connections.%s.api_token_file: expected a token of at least %d characters", shop, MinToken))
			}
			all[events.Token(shop)] = append(all[events.Token(shop)], sha256.Sum256([]byte(token)))
		}
	}
	return all, errors.Join(errs...)
}

// allows says whether the request has a token of the shop. It takes the same time for every wrong token.
func (t tokens) allows(r *http.Request, shop string) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	found := 0
	for _, want := range t[shop] {
		found |= subtle.ConstantTimeCompare(given[:], want[:])
	}
	return found == 1 && strings.EqualFold(scheme, "Bearer")
}

// newMetric counts requests by operation and status.
func newMetric(reg prometheus.Registerer) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: "api_requests_total",
		Help: "Requests to the HTTP API that were answered, by operation and HTTP status."}, []string{"operation", "status"})
	if reg != nil {
		reg.MustRegister(v)
	}
	return v
}

func newLimit(perMinute int) *httprate.RateLimiter {
	return httprate.NewRateLimiter(perMinute, time.Minute, httprate.WithLimitHandler(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusTooManyRequests, fmt.Sprintf("the shop has made %d requests within a minute", perMinute))
	}))
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// count writes one line to the log about each request, and counts it. The line has neither headers nor query nor body. Reading an
// order is no news.
func (a *API) count(ctx huma.Context, next func(huma.Context)) {
	r, inner := humago.Unwrap(ctx)
	begun, w := time.Now(), &statusWriter{inner, http.StatusOK}
	w.Header().Set("Cache-Control", "no-store")
	next(humago.NewContext(ctx.Operation(), r, w))
	operation := ctx.Operation().OperationID
	a.requests.WithLabelValues(operation, strconv.Itoa(w.status)).Inc()
	l := a.Log.Info()
	switch {
	case w.status >= http.StatusBadRequest:
		l = a.Log.Warn()
	case r.Method == http.MethodGet:
		l = a.Log.Debug()
	}
	l.Str("operation", operation).Str("path", cmp.Or(w.Header().Get("Location"), r.URL.Path)).Int("status", w.status).Dur("took", time.Since(begun)).Msg("api")
}

// answerTime is how long an answer may take, with its wait and with what the broker is asked for.
const answerTime = maxWait + 3*brokerTime

// authorize answers 401 to a request without a token of the shop that the operation is for, and 429 beyond the shop's requests of a
// minute. A shop that has no token is answered like a wrong one. Then it reads the body. Every operation has a shop in its path; the
// OpenAPI document, which is for everyone, is none.
func (a *API) authorize(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	shop := events.Token(ctx.Param("shop"))
	if !a.tokens.allows(r, shop) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="seqrflow"`)
		writeProblem(w, http.StatusUnauthorized, "expected the header Authorization: Bearer with a token of this shop")
		return
	}
	if a.limit.RespondOnLimit(w, r, shop) || !readWhole(w, r) {
		return
	}
	// A test's recorder has no connection, and refuses.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
	next(ctx)
}

// bodyTime is how long a client may take to send a request's body.
const bodyTime = 5 * time.Second

// readWhole reads the request's body before it is handled: a request that waits for something to happen must not end with the time
// that its body had. It answers a request whose body is too large or too slow, and gives false.
func readWhole(w http.ResponseWriter, r *http.Request) bool {
	c := http.NewResponseController(w)
	// A test's recorder has no connection, and refuses.
	_ = c.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		writeProblem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("expected a body of at most %d bytes", maxBody))
		return false
	case err != nil:
		w.Header().Set("Connection", "close")
		writeProblem(w, http.StatusRequestTimeout, "the request's body did not come within 5 s")
		return false
	}
	_ = c.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	return true
}
