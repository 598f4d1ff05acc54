package shopsim_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

const oldKey, newKey = "the old key of the destination", "the new key of the destination"

func whsec(key string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key)) }

// signed gives the headers of a webhook.
func signed(at time.Time, body string, keys ...string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", "evt-1")
	h.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
	list := "v1a,other"
	for _, key := range keys {
		list += " v1," + sign(key, fmt.Sprintf("evt-1.%d.%s", at.Unix(), body))
	}
	h.Set("webhook-signature", list)
	return h
}

func receiver(t *testing.T, secrets ...string) (*shopsim.Receiver, *clock, string) {
	r, c := shopsim.NewReceiver(secrets...), newClock()
	r.Now = c.now
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return r, c, server.URL
}

func TestAReceiverChecksTheSignature(t *testing.T) {
	r, c, url := receiver(t, whsec(oldKey), whsec(newKey))
	cut := func(name string) http.Header {
		h := signed(c.now(), "{}", newKey)
		h.Del(name)
		return h
	}
	cases := []struct {
		name   string
		header http.Header
		body   string
		code   int
	}{
		{"new key", signed(c.now(), "{}", newKey), "{}", 204},
		{"both keys", signed(c.now(), "{}", "unknown", oldKey), "{}", 204},
		{"5 minutes old", signed(c.now().Add(-5*time.Minute).Truncate(time.Second).Add(time.Second), "{}", newKey), "{}", 204},
		{"too old", signed(c.now().Add(-5*time.Minute-time.Second), "{}", newKey), "{}", 401},
		{"too new", signed(c.now().Add(5*time.Minute+2*time.Second), "{}", newKey), "{}", 401},
		{"unknown key", signed(c.now(), "{}", "unknown"), "{}", 401},
		{"another body", signed(c.now(), "{}", newKey), "{ }", 401},
		{"no id", cut("webhook-id"), "{}", 401},
		{"no time", cut("webhook-timestamp"), "{}", 401},
		{"no signature", cut("webhook-signature"), "{}", 401},
	}
	for i, one := range cases {
		if a := send(t, "POST", url, one.header, one.body); a.code != one.code {
			t.Errorf("%s: %d %s", one.name, a.code, a.body)
		}
		got := r.Received()
		if len(got) != i+1 || got[i].Body != one.body || (got[i].Problem == nil) != (one.code == 204) {
			t.Errorf("%s: recorded %+v", one.name, got)
		}
	}
	r.SetSecrets(whsec(oldKey))
	if a := send(t, "POST", url, signed(c.now(), "{}", newKey), "{}"); a.code != 401 {
		t.Errorf("a secret that is no longer known: %d", a.code)
	}
}

func TestAReceiverCanBeDeadAndTellsWhatCame(t *testing.T) {
	r, c, url := receiver(t, whsec(newKey))
	post := func() answer { return send(t, "POST", url, signed(c.now(), "{}", newKey), "{}") }
	r.SetFaults(shopsim.Fault{Drop: true})
	if a, b := post(), post(); a.err == nil || b.err == nil || len(r.Received()) != 0 {
		t.Errorf("%v %v: %v", a, b, r.Received())
	}
	r.SetFaults(shopsim.Fault{Code: 410, Times: 1}, shopsim.Fault{Drop: true, Effect: true, Times: 1})
	if a := post(); a.code != 410 || len(r.Received()) != 0 {
		t.Errorf("%v: %v", a, r.Received())
	}
	if a := post(); a.err == nil {
		t.Errorf("%v", a)
	}
	go post()
	got, err := r.WaitFor(t.Context(), 2)
	if err != nil || len(got) != 2 || got[0].ID != "evt-1" {
		t.Errorf("%v %v", got, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := r.WaitFor(ended, 3); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
