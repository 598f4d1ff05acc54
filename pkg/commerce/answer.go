package commerce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// MaxAnswer is how many bytes of an answer are read unless the caller says otherwise.
const MaxAnswer = 1 << 20

// maxAfter bounds how long a system may ask us to wait.
const maxAfter = 24 * time.Hour

// Answer is what a shop's system answered to one request.
type Answer struct {
	Code   int
	Header http.Header
	Body   []byte
}

// Ask makes the request and reads the whole answer, which may have at most limit bytes; limit 0 is [MaxAnswer]. The error says
// that there was no whole answer. It names no URL, since a URL may hold a secret.
func Ask(d Doer, r *http.Request, limit int64) (Answer, error) {
	if limit == 0 {
		limit = MaxAnswer
	}
	resp, err := d.Do(r)
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err
		}
		return Answer{}, fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	a := Answer{Code: resp.StatusCode, Header: resp.Header}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return a, fmt.Errorf("no whole answer: %w", err)
	case int64(len(a.Body)) > limit:
		a.Body = nil
		return a, fmt.Errorf("expected an answer of at most %d bytes", limit)
	}
	return a, nil
}

// OK says whether the status is 2xx.
func (a Answer) OK() bool { return a.Code >= 200 && a.Code < 300 }

// JSON reads the body into v. A page of a proxy in front of the shop, with 200, is an error here.
func (a Answer) JSON(v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("expected JSON, got %s: %w", kindOfBody(a), err)
	}
	return nil
}

// kindOfBody says what the answer has instead, without a word of it: it may have personal data.
func kindOfBody(a Answer) string {
	if ct := a.Header.Get("Content-Type"); ct != "" {
		return strconv.Quote(Clip(ct, 60))
	}
	if len(bytes.TrimSpace(a.Body)) == 0 {
		return "nothing"
	}
	return "something else"
}

// ResultOf says what an attempt that ended with this answer or this error came to; doing names it, such as "add a note".
// What may pass by itself is [Again]: no answer, 408, 425, 429 and 5xx. Every other status than 2xx is [Refused]: nothing
// changes until a person has changed a setting, on this side or in the shop.
func ResultOf(doing string, a Answer, err error) Result {
	r := Result{Code: a.Code, Detail: fmt.Sprintf("%s: the shop's system answered %d", doing, a.Code)}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		r.Status, r.Detail = Again, doing+": no answer in time"
	case err != nil:
		r.Status, r.Detail = Again, doing+": "+err.Error()
	case a.OK():
		r.Status, r.Detail = Delivered, doing
	case a.Code == http.StatusRequestTimeout, a.Code == http.StatusTooEarly, a.Code == http.StatusTooManyRequests, a.Code >= 500:
		r.Status, r.After = Again, a.RetryAfter()
	case a.Code == http.StatusUnauthorized, a.Code == http.StatusForbidden:
		r.Status = Refused
		r.Detail += "; expected credentials that may read and write orders"
	case a.Code >= 300 && a.Code < 400:
		r.Status = Refused
		r.Detail += ", a redirect, which is not followed; expected the URL that it leads to in the connection's settings"
	default:
		r.Status = Refused
	}
	return r
}

// RetryAfter is how long the answer asks us to wait, in seconds or until a time by the server's own clock, at most a day; 0
// where it does not say.
func (a Answer) RetryAfter() time.Duration {
	said := a.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(said, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxAfter)
	}
	until, err := http.ParseTime(said)
	if err != nil {
		return 0
	}
	now, ok := a.Time()
	if !ok {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), maxAfter)
}

// Time is the server's clock, from the Date header.
func (a Answer) Time() (time.Time, bool) {
	t, err := http.ParseTime(a.Header.Get("Date"))
	return t, err == nil
}
