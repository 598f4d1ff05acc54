package shopify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const newSecret, oldSecret = "shpss_new_0123456789", "shpss_old_0123456789"

func inbound() shopify.Inbound {
	return shopify.Inbound{Domain: "fjell.myshopify.com", Gateways: []string{"SEQR"}, Secrets: []string{newSecret, oldSecret}}
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// request is a webhook as Shopify sends it.
func request(topic string, body []byte) commerce.Request {
	h := http.Header{}
	for name, v := range map[string]string{
		"X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": "fjell.myshopify.com", "X-Shopify-Hmac-Sha256": sign(newSecret, body),
		"X-Shopify-API-Version": "2026-10", "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "Content-Type": "application/json",
	} {
		h.Set(name, v)
	}
	return commerce.Request{Shop: "fjell", Header: h, Body: body}
}

// payloads gives each file of testdata with its topic, which the file's name begins with.
func payloads(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/inbound/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no payloads", err)
	}
	all := map[string]string{}
	for _, f := range files {
		topic, _, _ := strings.Cut(filepath.Base(f), ".")
		all[f] = strings.Replace(topic, "-", "/", 1)
	}
	return all
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// outcome is what a golden file has of a translation.
type outcome struct {
	Translation *commerce.Translation `json:",omitempty"`
	Refusal     *commerce.Refusal     `json:",omitempty"`
}

func translate(t testing.TB, in shopify.Inbound, topic string, body []byte) outcome {
	t.Helper()
	tr, err := in.Translate(request(topic, body))
	var refusal *commerce.Refusal
	switch {
	case err == nil && (len(tr.Events) > 0) == (tr.Note == ""):
		return outcome{Translation: &tr}
	case errors.As(err, &refusal) && refusal.Expected != "":
		return outcome{Refusal: refusal}
	}
	t.Fatalf("neither events nor a note nor a refusal: %+v, %v", tr, err)
	return outcome{}
}

// TestTranslate holds the translation of every payload of testdata to its golden file; UPDATE=1 writes them.
func TestTranslate(t *testing.T) {
	for file, topic := range payloads(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			in := inbound()
			in.Presentment = strings.Contains(file, "presentment-money")
			got, err := json.MarshalIndent(translate(t, in, topic, readFile(t, file)), "", " ")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToLower(string(got)), "canary") {
				t.Errorf("personal data or a secret of the buyer came through:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(readFile(t, golden)), string(got)+"\n"); diff != "" {
				t.Errorf("%s (-golden +got):\n%s", golden, diff)
			}
		})
	}
}

// TestKnown: what is kept of a refused payload has no personal data, and explains the refusal.
func TestKnown(t *testing.T) {
	for file := range payloads(t) {
		known := string(inbound().Known(readFile(t, file)))
		if strings.Contains(strings.ToLower(known), "canary") {
			t.Errorf("%s: %s", file, known)
		}
		if strings.Contains(file, "rounding-too-much") && !strings.Contains(known, `"current_total_price":"115.03"`) {
			t.Errorf("%s lacks the total: %s", file, known)
		}
	}
}

// TestPayloadsHaveCanaries: the test above can only find personal data that is there.
func TestPayloadsHaveCanaries(t *testing.T) {
	for file, topic := range payloads(t) {
		body := string(readFile(t, file))
		switch topic {
		case "orders/create", "refunds/create":
			if strings.Count(strings.ToLower(body), "canary") < 2 {
				t.Errorf("%s has no canaries", file)
			}
		}
	}
}

// TestSameOrderAgain: whichever topic brings an unpaid order, and however often, it becomes the same event.
func TestSameOrderAgain(t *testing.T) {
	body := readFile(t, "testdata/inbound/orders-create.tax-inside.json")
	first := translate(t, inbound(), "orders/create", body)
	later := []byte(strings.NewReplacer("2026-11-20T10:00:01+01:00", "2026-11-21T00:00:00+01:00", "canary-tag", "other").Replace(string(body)))
	for _, topic := range []string{"orders/create", "orders/updated"} {
		if diff := cmp.Diff(first, translate(t, inbound(), topic, later), cmp.AllowUnexported(events.Amount{}), cmp.Comparer(equalAmounts)); diff != "" {
			t.Errorf("%s: %s", topic, diff)
		}
	}
}

func equalAmounts(a, b events.Amount) bool { return a.Cmp(b) == 0 }

func TestBuyerKeyIsTheHashOfTheToken(t *testing.T) {
	got := translate(t, inbound(), "orders/create", readFile(t, "testdata/inbound/orders-create.tax-inside.json"))
	if o := got.Translation.Events[0].Data.(events.Order); o.BuyerKeyHash != commerce.BuyerKeyHash("canarytoken0123456789abcdef") {
		t.Errorf("buyerKeyHash is %q", o.BuyerKeyHash)
	}
}

func TestVerify(t *testing.T) {
	body := []byte(`{"id": 1, "note": "å"}`)
	for name, c := range map[string]struct {
		change func(*commerce.Request)
		right  bool
	}{
		"new secret":         {func(*commerce.Request) {}, true},
		"old secret":         {func(r *commerce.Request) { r.Header.Set("X-Shopify-Hmac-Sha256", sign(oldSecret, body)) }, true},
		"domain in capitals": {func(r *commerce.Request) { r.Header.Set("X-Shopify-Shop-Domain", "FJELL.myshopify.com") }, true},
		"other secret":       {func(r *commerce.Request) { r.Header.Set("X-Shopify-Hmac-Sha256", sign("other", body)) }, false},
		"empty secret":       {func(r *commerce.Request) { r.Header.Set("X-Shopify-Hmac-Sha256", sign("", body)) }, false},
		"no signature":       {func(r *commerce.Request) { r.Header.Del("X-Shopify-Hmac-Sha256") }, false},
		"not base64":         {func(r *commerce.Request) { r.Header.Set("X-Shopify-Hmac-Sha256", "%%%") }, false},
		"body changed":       {func(r *commerce.Request) { r.Body = append([]byte(" "), r.Body...) }, false},
		"other shop":         {func(r *commerce.Request) { r.Header.Set("X-Shopify-Shop-Domain", "beta.myshopify.com") }, false},
		"no shop":            {func(r *commerce.Request) { r.Header.Del("X-Shopify-Shop-Domain") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("orders/create", body)
			c.change(&r)
			err := inbound().Verify(r)
			if c.right != (err == nil) || err != nil && !errors.Is(err, commerce.ErrSignature) {
				t.Errorf("got %v", err)
			}
			for _, secret := range []string{newSecret, oldSecret, sign(newSecret, r.Body), sign(oldSecret, r.Body)} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error has a secret: %v", err)
				}
			}
		})
	}
}

// TestNoTopic: a request without a topic can't be told apart from others, so it is refused and kept.
func TestNoTopic(t *testing.T) {
	got := translate(t, inbound(), "", []byte(`{}`))
	if got.Refusal == nil || got.Refusal.Field != "header X-Shopify-Topic" {
		t.Errorf("got %+v", got)
	}
}

// FuzzTranslate: whatever is sent, it becomes events that the workers accept, a note, or a refusal.
func FuzzTranslate(f *testing.F) {
	for file, topic := range payloads(f) {
		f.Add(topic, readFile(f, file))
	}
	f.Add("", []byte("null"))
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		for _, presentment := range []bool{false, true} {
			in := inbound()
			in.Presentment = presentment
			got := translate(t, in, topic, body)
			if got.Translation == nil {
				continue
			}
			for _, e := range got.Translation.Events {
				if err := e.Check("fjell", func(path string) string { return path }); err != nil {
					t.Fatalf("the workers refuse the event: %v", err)
				}
				if e.Order != got.Translation.Order {
					t.Fatalf("the event is of order %q, the translation of %q", e.Order, got.Translation.Order)
				}
			}
		}
	})
}
