package webhook_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
)

const (
	newSecret = "whsec_bmV3IHNlY3JldCBvZiB0aGUgdGVzdHMgaGVyZQ=="
	oldSecret = "b2xkIHNlY3JldCBvZiB0aGUgdGVzdHMgaGVyZSE="
)

var now = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func inbound(t testing.TB) *webhook.Inbound {
	t.Helper()
	in, err := webhook.NewInbound([]string{newSecret, oldSecret})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// sign makes a signature by the specification, without the library.
func sign(t testing.TB, secret, id string, at int64, body []byte) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// request reads a file of testdata: header lines, an empty line, the body.
func request(t testing.TB, file string) commerce.Request {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(bytes.NewReader(text))
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := bytes.Cut(text, []byte("\n\n"))
	return commerce.Request{Shop: "beta", Header: http.Header(header), Body: body, At: now}
}

func files(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/inbound/*.http")
	if err != nil || len(all) == 0 {
		t.Fatal("no requests", err)
	}
	return all
}

// outcome is what a golden file has of a translation.
type outcome struct {
	Translation *commerce.Translation `json:",omitempty"`
	Refusal     *commerce.Refusal     `json:",omitempty"`
	Error       string                `json:",omitempty"`
}

func translate(t testing.TB, r commerce.Request) outcome {
	t.Helper()
	tr, err := inbound(t).Translate(r)
	var refusal *commerce.Refusal
	switch {
	case err == nil && (len(tr.Events)+len(tr.Refused) > 0) == (tr.Note == ""):
		return outcome{Translation: &tr}
	case errors.As(err, &refusal) && refusal.Expected != "" && refusal.Field != "":
		return outcome{Refusal: refusal}
	case errors.Is(err, commerce.ErrContentType):
		return outcome{Error: err.Error()}
	}
	t.Fatalf("neither events nor a note nor a refusal: %+v, %v", tr, err)
	return outcome{}
}

// TestTranslate holds the translation of every request of testdata to its golden file; UPDATE=1 writes them.
func TestTranslate(t *testing.T) {
	for _, file := range files(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			r := request(t, file)
			outcome := translate(t, r)
			if refused := outcome.Refusal != nil; refused != (strings.HasPrefix(name, "refused-") || name == "batch-is-no-list") {
				t.Errorf("refused: %v", refused)
			}
			if unknown := outcome.Error != ""; unknown != strings.HasPrefix(name, "unknown-type-") {
				t.Errorf("of an unknown type: %v", unknown)
			}
			for _, e := range events(outcome) {
				if text, err := json.Marshal(e.Data); err != nil || bytes.Contains(text, []byte("canary")) {
					t.Errorf("personal data came through: %s, %v", text, err)
				}
			}
			if known := inbound(t).Known(r.Body); bytes.Contains(known, []byte("canary")) {
				t.Errorf("personal data would be kept: %s", known)
			}
			got, err := json.MarshalIndent(outcome, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(file, ".http") + ".golden"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, append(got, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("%s (-golden +got):\n%s", golden, diff)
			}
		})
	}
}

func events(o outcome) []commerce.Event {
	if o.Translation == nil {
		return nil
	}
	return o.Translation.Events
}

// TestKnownIsTheWholeOrder: a person sees of a refused event all that was read.
func TestKnownIsTheWholeOrder(t *testing.T) {
	for _, name := range []string{"structured-placed", "binary-placed", "structured-returned"} {
		body := request(t, "testdata/inbound/"+name+".http").Body
		var sent, kept map[string]any
		if err := errors.Join(json.Unmarshal(body, &sent), json.Unmarshal(inbound(t).Known(body), &kept)); err != nil {
			t.Fatal(err)
		}
		delete(sent, "time")
		if diff := cmp.Diff(sent, kept); diff != "" {
			t.Errorf("%s (-sent +kept):\n%s", name, diff)
		}
	}
}

func TestVerify(t *testing.T) {
	body, at := []byte(`{"å": 1}`), now.Unix()
	sixMinutes := int64(6 * 60)
	for name, c := range map[string]struct {
		id, timestamp, signature string
		right                    bool
	}{
		"new secret":           {"e-1", fmt.Sprint(at), sign(t, newSecret, "e-1", at, body), true},
		"old secret":           {"e-1", fmt.Sprint(at), sign(t, oldSecret, "e-1", at, body), true},
		"second of two":        {"e-1", fmt.Sprint(at), "v1,bm90aGluZw== v1a,xx " + sign(t, newSecret, "e-1", at, body), true},
		"four minutes old":     {"e-1", fmt.Sprint(at - 240), sign(t, newSecret, "e-1", at-240, body), true},
		"six minutes old":      {"e-1", fmt.Sprint(at - sixMinutes), sign(t, newSecret, "e-1", at-sixMinutes, body), false},
		"six minutes ahead":    {"e-1", fmt.Sprint(at + sixMinutes), sign(t, newSecret, "e-1", at+sixMinutes, body), false},
		"other id":             {"e-2", fmt.Sprint(at), sign(t, newSecret, "e-1", at, body), false},
		"other timestamp":      {"e-1", fmt.Sprint(at + 1), sign(t, newSecret, "e-1", at, body), false},
		"other body":           {"e-1", fmt.Sprint(at), sign(t, newSecret, "e-1", at, []byte("{}")), false},
		"other secret":         {"e-1", fmt.Sprint(at), sign(t, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), "e-1", at, body), false},
		"other version":        {"e-1", fmt.Sprint(at), "v2" + strings.TrimPrefix(sign(t, newSecret, "e-1", at, body), "v1"), false},
		"timestamp is no date": {"e-1", "today", sign(t, newSecret, "e-1", at, body), false},
		"no id":                {"", fmt.Sprint(at), sign(t, newSecret, "", at, body), false},
		"no timestamp":         {"e-1", "", sign(t, newSecret, "e-1", at, body), false},
		"no signature":         {"e-1", fmt.Sprint(at), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := commerce.Request{Shop: "beta", Header: http.Header{}, Body: body, At: now}
			r.Header.Set("Webhook-Id", c.id)
			r.Header.Set("Webhook-Timestamp", c.timestamp)
			r.Header.Set("Webhook-Signature", c.signature)
			err := inbound(t).Verify(r)
			if c.right != (err == nil) || err != nil && !errors.Is(err, commerce.ErrSignature) {
				t.Errorf("got %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), newSecret) || strings.Contains(err.Error(), sign(t, newSecret, "e-1", at, body))) {
				t.Errorf("the error has a secret: %v", err)
			}
		})
	}
}

func TestSecretsAreChecked(t *testing.T) {
	for name, secrets := range map[string][]string{
		"none": nil, "empty": {""}, "prefix alone": {"whsec_"}, "not base64": {newSecret, "whsec_%canary%"}, "short": {"whsec_Y2FuYXJ5"},
	} {
		if _, err := webhook.NewInbound(secrets); err == nil || !strings.HasPrefix(err.Error(), "secret_files") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzTranslate: whatever is sent, it becomes events that the workers accept, a note, or a refusal that names a field.
func FuzzTranslate(f *testing.F) {
	for _, file := range files(f) {
		r := request(f, file)
		f.Add(r.Header.Get("Content-Type"), r.Header.Get("Ce-Specversion"), r.Header.Get("Ce-Type"), r.Body)
	}
	f.Fuzz(func(t *testing.T, contentType, specVersion, eventType string, body []byte) {
		r := commerce.Request{Shop: "beta", Header: http.Header{}, Body: body, At: now}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Ce-Specversion", specVersion)
		r.Header.Set("Ce-Type", eventType)
		for _, e := range events(translate(t, r)) {
			if err := e.Check("beta", func(path string) string { return path }); err != nil {
				t.Fatalf("the workers refuse the event: %v", err)
			}
		}
	})
}
