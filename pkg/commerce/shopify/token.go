package shopify

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// tokens gives the access token of the calls: one that is set and stays, or those that Shopify gives an app for its id and secret, a
// new one before the last ends. It is safe for concurrent use.
type tokens struct {
	url, id, secret string // of an app; none with a token that stays
	http            commerce.Doer

	mu    sync.Mutex
	token string
	until time.Time
}

// margin is how long before its end a token is replaced. Shopify's are valid for a day.
const margin = 10 * time.Minute

// get gives the token. Only where the result's status is Delivered is there one.
func (t *tokens) get(ctx context.Context) (string, commerce.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && (t.id == "" || time.Now().Before(t.until)) {
		return t.token, commerce.Done("")
	}
	const doing = "get an access token"
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {t.id}, "client_secret": {t.secret}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, strings.NewReader(form.Encode()))
	if err != nil {
		return "", commerce.Result{Status: commerce.Refused, Detail: doing + ": not a URL"}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	answer, err := commerce.Ask(t.http, r, 0)
	result := commerce.ResultOf(doing, answer, err)
	if result.Status != commerce.Delivered {
		return "", result
	}
	var given struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := answer.JSON(&given); err != nil || given.Token == "" {
		return "", commerce.Result{Status: commerce.Again, Code: answer.Code, Detail: doing + ": expected JSON with access_token"}
	}
	t.token, t.until = given.Token, time.Now().Add(time.Duration(given.Seconds)*time.Second-margin)
	return t.token, result
}

// refused says that the shop does not take the token any more. It gives true if another one can be had.
func (t *tokens) refused(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.id != "" && t.token == token {
		t.token = ""
	}
	return t.id != ""
}
