package woocommerce_test

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
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const newSecret, oldSecret = "new & improved <secret>", "old_0123456789"

func inbound() woocommerce.Inbound {
	return woocommerce.Inbound{Secrets: []string{newSecret, oldSecret}, PaymentMethods: []string{"seqr", "seqr_app"}}
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// request is a webhook as WooCommerce sends it.
func request(topic string, body []byte) commerce.Request {
	resource, event, _ := strings.Cut(topic, ".")
	h := http.Header{}
	for name, v := range map[string]string{
		"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Resource": resource, "X-WC-Webhook-Event": event, "X-WC-Webhook-Source": "https://shop.example/",
		"X-WC-Webhook-ID": "3", "X-WC-Webhook-Delivery-ID": "6f1c", "X-WC-Webhook-Signature": sign(newSecret, body), "Content-Type": "application/json",
	} {
		h.Set(name, v)
	}
	return commerce.Request{Shop: "acme", Header: h, Body: body}
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
		parts := strings.SplitN(filepath.Base(f), ".", 3)
		all[f] = parts[0] + "." + parts[1]
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

func payload(t testing.TB, name string) []byte {
	t.Helper()
	return readFile(t, "testdata/inbound/"+name+".json")
}

// outcome is what a golden file has of a translation.
type outcome struct {
	Translation *commerce.Translation `json:",omitempty"`
	Refusal     *commerce.Refusal     `json:",omitempty"`
}

func translate(t testing.TB, topic string, body []byte) outcome {
	t.Helper()
	tr, err := inbound().Translate(request(topic, body))
	var refusal *commerce.Refusal
	switch {
	case err == nil && (len(tr.Events) > 0) == (tr.Note == ""):
		return outcome{Translation: &tr}
	case errors.As(err, &refusal) && refusal.Expected != "" && len(tr.Events) == 0:
		return outcome{Refusal: refusal}
	}
	t.Fatalf("neither events nor a note nor a refusal: %+v, %v", tr, err)
	return outcome{}
}

// TestTranslate holds the translation of every payload of testdata to its golden file; UPDATE=1 writes them.
func TestTranslate(t *testing.T) {
	for file, topic := range payloads(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			got, err := json.MarshalIndent(translate(t, topic, readFile(t, file)), "", " ")
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
		if strings.Contains(file, "rounding-too-much") && !strings.Contains(known, `"total":"124.98"`) {
			t.Errorf("%s lacks the total: %s", file, known)
		}
	}
}

// TestPayloadsHaveCanaries: the tests above can only find personal data that is there.
func TestPayloadsHaveCanaries(t *testing.T) {
	for file, topic := range payloads(t) {
		body := readFile(t, file)
		if n := strings.Count(strings.ToLower(string(body)), "canary"); topic != "order.deleted" && strings.Contains(string(body), "billing") && n < 10 {
			t.Errorf("%s has %d canaries", file, n)
		}
	}
}

// TestSameOrderAgain: whichever topic brings an unpaid order, and however often, it becomes the same event. So does the sweep.
func TestSameOrderAgain(t *testing.T) {
	body := payload(t, "order.created.tax-inside")
	same := cmp.Comparer(func(a, b events.Amount) bool { return a.Cmp(b) == 0 })
	first := translate(t, "order.created", body)
	later := []byte(strings.NewReplacer("2026-11-26T09:00:00", "2026-11-27T10:00:00", `"pending"`, `"on-hold"`, "CanaryBrowser", "Other").Replace(string(body)))
	for _, topic := range []string{"order.created", "order.updated", "order.restored"} {
		if diff := cmp.Diff(first, translate(t, topic, later), same); diff != "" {
			t.Errorf("%s: %s", topic, diff)
		}
	}
	swept, err := inbound().TranslateOrder("acme", later)
	if diff := cmp.Diff(*first.Translation, swept, same); err != nil || diff != "" {
		t.Errorf("TranslateOrder: %v %s", err, diff)
	}
}

func TestBuyerKeyIsTheHashOfTheOrderKey(t *testing.T) {
	got := translate(t, "order.created", payload(t, "order.created.tax-inside"))
	if o := got.Translation.Events[0].Data.(events.Order); o.BuyerKeyHash != commerce.BuyerKeyHash("wc_order_CaNaRy0123456") {
		t.Errorf("buyerKeyHash is %q", o.BuyerKeyHash)
	}
}

func TestVerify(t *testing.T) {
	body := []byte(`{"id":1,"note":"å"}`)
	signed := func(secret string) func(*commerce.Request) {
		return func(r *commerce.Request) { r.Header.Set("X-WC-Webhook-Signature", sign(secret, body)) }
	}
	for name, c := range map[string]struct {
		change func(*commerce.Request)
		right  bool
	}{
		"new secret":            {func(*commerce.Request) {}, true},
		"old secret":            {signed(oldSecret), true},
		"other secret":          {signed("other"), false},
		"empty secret":          {signed(""), false},
		"the secret as escaped": {signed("new &amp; improved &lt;secret&gt;"), false},
		"no signature":          {func(r *commerce.Request) { r.Header.Del("X-WC-Webhook-Signature") }, false},
		"not base64":            {func(r *commerce.Request) { r.Header.Set("X-WC-Webhook-Signature", "%%%") }, false},
		"body changed":          {func(r *commerce.Request) { r.Body = append([]byte(" "), r.Body...) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, secrets := range [][]string{{newSecret, oldSecret}, {"new &amp; improved &lt;secret&gt;", oldSecret}} { // as shown and as stored
				in := inbound()
				in.Secrets = secrets
				r := request("order.created", body)
				c.change(&r)
				err := in.Verify(r)
				if c.right != (err == nil) || err != nil && !errors.Is(err, commerce.ErrSignature) {
					t.Errorf("got %v", err)
				}
				for _, secret := range []string{newSecret, oldSecret, sign(newSecret, r.Body), sign(oldSecret, r.Body)} {
					if err != nil && strings.Contains(err.Error(), secret) {
						t.Errorf("the error has a secret: %v", err)
					}
				}
			}
		})
	}
}

func TestIsPing(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		kind, body string
		want       bool
	}{
		{form, "webhook_id=3", true},
		{form + "; charset=UTF-8", "webhook_id=3", true},
		{form, "webhook_id=3&id=1001", false},
		{form, "webhook_id=", false},
		{form, "webhook_id=x", false},
		{form, "", false},
		{form, "webhook_id=3&webhook_id=4;", false},
		{"application/json", "webhook_id=3", false},
		{"application/json", `{"id":1001}`, false},
		{"", "webhook_id=3", false},
	} {
		if got := inbound().IsPing(commerce.Request{Header: http.Header{"Content-Type": {c.kind}}, Body: []byte(c.body)}); got != c.want {
			t.Errorf("%s %q: got %t", c.kind, c.body, got)
		}
	}
}

// TestNoTopic: a request without a topic can't be told apart from others, so it is refused and kept.
func TestNoTopic(t *testing.T) {
	got := translate(t, "", []byte(`{}`))
	if got.Refusal == nil || got.Refusal.Field != "header X-WC-Webhook-Topic" {
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
		in := inbound()
		in.Known(body)
		in.IsPing(commerce.Request{Header: http.Header{"Content-Type": {topic}}, Body: body})
		got := translate(t, topic, body)
		if got.Translation == nil {
			return
		}
		for _, e := range got.Translation.Events {
			if err := e.Check("acme", func(path string) string { return path }); err != nil {
				t.Fatalf("the workers refuse the event: %v", err)
			}
			if e.Order != got.Translation.Order {
				t.Fatalf("the event is of order %q, the translation of %q", e.Order, got.Translation.Order)
			}
			checkSum(t, e)
		}
	})
}

func checkSum(t *testing.T, e commerce.Event) {
	t.Helper()
	o, ok := e.Data.(events.Order)
	if !ok {
		return
	}
	sum := events.Amount{}
	for _, r := range o.Rows {
		sum = sum.Add(r.Total)
	}
	if sum.Cmp(o.Total) != 0 {
		t.Fatalf("the rows sum to %s, the total is %s", sum, o.Total)
	}
}

// TestARefundThatWasMadeElsewhereStaysMarked: what is kept of a request pays nothing back that the whole request would not.
func TestARefundThatWasMadeElsewhereStaysMarked(t *testing.T) {
	for reason, want := range map[string]int{`"seqrflow r1"`: 0, `" SEQRflow: for Canary Buyer"`: 0, `"broken, says Canary Buyer"`: 1, `""`: 1, `null`: 1, `{"seqrflow":1}`: 1} {
		body := `{"id":1001,"status":"processing","currency":"SEK","total":"10.00","payment_method":"seqr","refunds":[{"id":726,"reason":` + reason + `,"total":"-4.00"}]}`
		kept := inbound().Known([]byte(body))
		for name, b := range map[string][]byte{"the whole": []byte(body), "what is kept": kept} {
			if got, err := inbound().TranslateOrder("acme", b); err != nil || len(got.Events) != want {
				t.Errorf("%s, %s: %+v, %v; want %d events", reason, name, got, err, want)
			}
		}
		if strings.Contains(string(kept), "Canary") {
			t.Errorf("%s: kept %s", reason, kept)
		}
	}
}
