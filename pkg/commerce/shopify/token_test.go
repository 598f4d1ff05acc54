package shopify_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
)

// app is Shopify as an app sees it that gets its access tokens by its id and secret.
type app struct {
	seconds   int // that a token is valid for
	given     int
	refuse    int    // the status of the answers to requests for a token
	ended     string // a token that is not taken any more
	inspected []string
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/admin/oauth/access_token" {
		switch {
		case a.refuse > 0:
			w.WriteHeader(a.refuse)
		case r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_id") != "app" || r.PostFormValue("client_secret") != "shpss_canary":
			w.WriteHeader(http.StatusBadRequest)
		default:
			a.given++
			fmt.Fprintf(w, `{"access_token":"token %d","scope":"read_orders","expires_in":%d}`, a.given, a.seconds)
		}
		return
	}
	with := r.Header.Get("X-Shopify-Access-Token")
	a.inspected = append(a.inspected, with)
	if with == "" || with == a.ended {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, `{"data":{"shop":{"myshopifyDomain":"fjell.myshopify.com"}}}`)
}

func (a *app) join(t *testing.T, secret string) *shopify.Outbound {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	o, err := shopify.NewOutbound(shopify.OutboundConfig{URL: s.URL, APIVersion: "2026-10", ClientID: "app", ClientSecret: secret, HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestAppGetsItsAccessTokens: one token serves calls until shortly before its end, and one that the shop does not take any more is
// replaced at the next attempt.
func TestAppGetsItsAccessTokens(t *testing.T) {
	for seconds, want := range map[int]int{86399: 1, 300: 3, 0: 3} {
		a := &app{seconds: seconds}
		o := a.join(t, "shpss_canary")
		for range 3 {
			if _, r := o.Inspect(t.Context()); r.Status != commerce.Delivered {
				t.Fatalf("%+v", r)
			}
		}
		if a.given != want {
			t.Errorf("valid for %d s: %d tokens for 3 calls, expected %d", seconds, a.given, want)
		}
	}
	a := &app{seconds: 86399}
	o := a.join(t, "shpss_canary")
	o.Inspect(t.Context())
	a.ended = "token 1"
	if _, r := o.Inspect(t.Context()); r.Status != commerce.Again {
		t.Errorf("a token that has ended early: %+v", r)
	}
	if _, r := o.Inspect(t.Context()); r.Status != commerce.Delivered || a.given != 2 {
		t.Errorf("%+v, %d tokens", r, a.given)
	}
}

func TestAppThatGetsNoAccessToken(t *testing.T) {
	a := &app{seconds: 86399}
	if _, r := a.join(t, "another").Inspect(t.Context()); r.Status != commerce.Refused || !strings.Contains(r.Detail, "get an access token") || strings.Contains(fmt.Sprint(r), "another") {
		t.Errorf("a wrong secret: %+v", r)
	}
	a.refuse = http.StatusBadGateway
	if _, r := a.join(t, "shpss_canary").Inspect(t.Context()); r.Status != commerce.Again || len(a.inspected) > 0 {
		t.Errorf("a bad gateway: %+v", r)
	}
	if _, err := shopify.NewOutbound(shopify.OutboundConfig{Domain: "fjell.myshopify.com", ClientID: "app"}); err == nil || !strings.Contains(err.Error(), "client_secret_file") {
		t.Errorf("neither a token nor a secret: %v", err)
	}
}
