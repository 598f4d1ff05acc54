package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
	ev "github.com/seqrflow/seqrflow/pkg/events"
)

// receiver keeps the requests that reached a destination.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []commerce.Request
	then http.HandlerFunc
}

func newReceiver(t *testing.T, then http.HandlerFunc) *receiver {
	t.Helper()
	rec := &receiver{then: then}
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rec.mu.Lock()
		rec.got = append(rec.got, commerce.Request{Shop: r.Method, Header: r.Header, Body: body})
		rec.mu.Unlock()
		rec.then(w, r)
	}))
	t.Cleanup(rec.Close)
	return rec
}

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func outbound(t *testing.T, url string, change ...func(*webhook.OutboundConfig)) *webhook.Outbound {
	t.Helper()
	c := webhook.OutboundConfig{URL: url, Secrets: []string{newSecret, oldSecret}, HTTP: http.DefaultClient, Now: func() time.Time { return now }}
	for _, f := range change {
		f(&c)
	}
	o, err := webhook.NewOutbound(c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func notice() commerce.Notice {
	return commerce.Notice{ID: "beta.A-1001.paid", Name: ev.EventPaid, Body: []byte(`{"specversion":"1.0","id":"beta.A-1001.paid","data":{"title":"ö"}}`)}
}

// TestDeliverSigns: a receiver that knows either secret accepts the request, which is the event as it is stored.
func TestDeliverSigns(t *testing.T) {
	rec := newReceiver(t, answer(http.StatusNoContent))
	clock := time.Now()
	o := outbound(t, rec.URL+"/in?tenant=1", func(c *webhook.OutboundConfig) { c.Now = func() time.Time { return clock } })
	for range 2 {
		if r := o.Deliver(context.Background(), notice()); r.Status != commerce.Delivered || r.Code != http.StatusNoContent {
			t.Fatalf("got %+v", r)
		}
		clock = clock.Add(time.Minute)
	}
	if len(rec.got) != 2 {
		t.Fatalf("got %d requests", len(rec.got))
	}
	for _, r := range rec.got {
		if r.Shop != http.MethodPost || !bytes.Equal(r.Body, notice().Body) || r.Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
			t.Errorf("got %s %v %s", r.Shop, r.Header, r.Body)
		}
		for _, secret := range []string{newSecret, oldSecret} {
			wh, err := standardwebhooks.NewWebhook(secret)
			if err := errors.Join(err, wh.Verify(r.Body, r.Header)); err != nil {
				t.Errorf("a receiver with one of the secrets: %v", err)
			}
		}
	}
	first, second := rec.got[0].Header, rec.got[1].Header
	if first.Get("Webhook-Id") != notice().ID || second.Get("Webhook-Id") != notice().ID {
		t.Errorf("webhook-id is %q, then %q", first.Get("Webhook-Id"), second.Get("Webhook-Id"))
	}
	if first.Get("Webhook-Timestamp") == second.Get("Webhook-Timestamp") {
		t.Error("both attempts have the same timestamp")
	}
}

func TestDeliverByStatus(t *testing.T) {
	for code, want := range map[int]commerce.Status{
		200: commerce.Delivered, 201: commerce.Delivered, 202: commerce.Delivered, 204: commerce.Delivered, 299: commerce.Delivered,
		400: commerce.Refused, 401: commerce.Refused, 403: commerce.Refused, 404: commerce.Refused, 410: commerce.Refused, 415: commerce.Refused, 422: commerce.Refused,
		408: commerce.Again, 425: commerce.Again, 429: commerce.Again, 500: commerce.Again, 502: commerce.Again, 503: commerce.Again, 504: commerce.Again, 599: commerce.Again,
	} {
		rec := newReceiver(t, answer(code))
		if r := outbound(t, rec.URL).Deliver(context.Background(), notice()); r.Status != want || r.Code != code || r.Detail == "" || r.After != 0 {
			t.Errorf("%d: got %+v, want %s", code, r, want)
		}
	}
}

func TestDeliverFollowsNoRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		elsewhere := newReceiver(t, answer(http.StatusOK))
		rec := newReceiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, code) })
		if r := outbound(t, rec.URL).Deliver(context.Background(), notice()); r.Status != commerce.Refused || r.Code != code || !strings.Contains(r.Detail, "redirect") {
			t.Errorf("%d: got %+v", code, r)
		}
		if len(elsewhere.got) > 0 {
			t.Errorf("%d: the redirect was followed", code)
		}
	}
	if http.DefaultClient.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestDeliverWaitsAsAsked(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"120": 2 * time.Minute, "Fri, 20 Nov 2026 10:03:00 GMT": 3 * time.Minute, "Fri, 20 Nov 2026 09:00:00 GMT": 0, "soon": 0, "999999999": 24 * time.Hour,
	} {
		rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Fri, 20 Nov 2026 10:00:00 GMT")
			w.Header().Set("Retry-After", said)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		if r := outbound(t, rec.URL).Deliver(context.Background(), notice()); r.Status != commerce.Again || r.After != want {
			t.Errorf("%q: got %+v, want %s", said, r, want)
		}
	}
}

func TestDeliverWithoutAnswer(t *testing.T) {
	hold := make(chan struct{})
	for name, then := range map[string]http.HandlerFunc{
		"cut off": func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		"silent":  func(http.ResponseWriter, *http.Request) { <-hold },
	} {
		rec := newReceiver(t, then)
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		r := outbound(t, rec.URL+"/?token=canary").Deliver(ctx, notice())
		cancel()
		if r.Status != commerce.Again || r.Code != 0 || strings.Contains(r.Detail, "canary") {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	close(hold)
	gone := httptest.NewServer(nil)
	gone.Close()
	if r := outbound(t, gone.URL+"/?token=canary").Deliver(context.Background(), notice()); r.Status != commerce.Again || strings.Contains(r.Detail, "canary") {
		t.Errorf("no server: got %+v", r)
	}
}

// TestDeliverIgnoresTheBody: a receiver that has accepted is not asked again because of what it says besides.
func TestDeliverIgnoresTheBody(t *testing.T) {
	for name, then := range map[string]http.HandlerFunc{
		"long": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("canary ", 1<<17)) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "canary")
		},
	} {
		rec := newReceiver(t, then)
		if r := outbound(t, rec.URL).Deliver(context.Background(), notice()); r.Status != commerce.Delivered || strings.Contains(r.Detail, "canary") {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

func TestDestinationIsChecked(t *testing.T) {
	for url, right := range map[string]bool{
		"https://erp.example/in": true, "http://127.0.0.1:8080/in": true, "http://[::1]:1/": true, "http://localhost/": true,
		"http://erp.example/in": false, "ftp://erp.example": false, "erp.example": false, "": false, "https://u:canary@erp.example/": false,
	} {
		_, err := webhook.NewOutbound(webhook.OutboundConfig{URL: url, Secrets: []string{newSecret}})
		if right != (err == nil) || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := webhook.NewOutbound(webhook.OutboundConfig{URL: "https://erp.example/in"}); err == nil {
		t.Error("no secret was accepted")
	}
}
