package shopsim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Received is one request that a Receiver got.
type Received struct {
	ID      string // webhook-id
	Header  http.Header
	Body    string
	Problem error // why the signature is not good; nil for a good one
}

// Receiver is a destination of signed webhooks (Standard Webhooks): an http.Handler that records what comes, checks the signature and
// answers 204, or 401 to a wrong signature. Faults make it dead, slow, or answer something else; a request whose fault has no
// Effect is not recorded. It is safe for concurrent use.
type Receiver struct {
	Faults
	Now func() time.Time // time.Now unless set before the first request

	mu      sync.Mutex
	secrets [][]byte
	got     []Received
	more    chan struct{} // closed and replaced when a request was recorded
}

// NewReceiver gives a destination that knows these secrets, each as whsec_ and base64. It panics if one is not.
func NewReceiver(secrets ...string) *Receiver {
	r := &Receiver{Now: time.Now, more: make(chan struct{})}
	r.SetSecrets(secrets...)
	return r
}

// SetSecrets replaces the secrets.
func (r *Receiver) SetSecrets(secrets ...string) {
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		coded, ok := strings.CutPrefix(s, "whsec_")
		key, err := base64.StdEncoding.DecodeString(coded)
		if !ok || err != nil {
			panic("shopsim: a secret is whsec_ and base64")
		}
		keys[i] = key
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = keys
}

// ServeHTTP takes a webhook.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 4<<20))
	if err != nil {
		return
	}
	r.serve("", w, req, func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		problem := r.check(req.Header, body)
		r.got = append(r.got, Received{req.Header.Get("webhook-id"), req.Header.Clone(), string(body), problem})
		close(r.more)
		r.more = make(chan struct{})
		r.mu.Unlock()
		if problem != nil {
			http.Error(w, problem.Error(), http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// check verifies a signature. It needs mu.
func (r *Receiver) check(header http.Header, body []byte) error {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	if id == "" {
		return errors.New("webhook-id is missing")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("webhook-timestamp is not a number of seconds")
	}
	if off := r.Now().Sub(time.Unix(seconds, 0)); off.Abs() > 5*time.Minute {
		return fmt.Errorf("webhook-timestamp differs by %s", off)
	}
	given := strings.Fields(header.Get("webhook-signature"))
	for _, key := range r.secrets {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
		if slices.Contains(given, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
			return nil
		}
	}
	return fmt.Errorf("none of %d signatures in webhook-signature is good", len(given))
}

// Received gives what has been recorded, the oldest first.
func (r *Receiver) Received() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// WaitFor returns what has been recorded as soon as there are n requests of it, or with the error of ctx.
func (r *Receiver) WaitFor(ctx context.Context, n int) ([]Received, error) {
	for {
		r.mu.Lock()
		got, more := slices.Clone(r.got), r.more
		r.mu.Unlock()
		if len(got) >= n {
			return got, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return got, fmt.Errorf("%d of %d webhooks came: %w", len(got), n, ctx.Err())
		}
	}
}
