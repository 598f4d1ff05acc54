package seqr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestSecretNeverShows prints a secret in every way that there is.
func TestSecretNeverShows(t *testing.T) {
	secret := seqr.Secret("open-sesame")
	in := struct {
		P *seqr.Secret
		R seqr.RegisterTerminal
	}{&secret, seqr.RegisterTerminal{As: seqr.Terminal("t", secret), Password: secret}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%20s", "%T %[1]v"} {
		fmt.Fprintf(&out, verb+"\n", secret)
		fmt.Fprintf(&out, verb+"\n", in.R)
		fmt.Fprintf(&out, verb+"\n", []any{in, in.R.As})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("call", "as", in.R.As, "password", secret)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("call", "as", in.R.As, "password", secret)
	if err := json.NewEncoder(&out).Encode(in); err != nil {
		t.Fatal(err)
	}
	text, err := secret.MarshalText()
	out.Write(text)
	fmt.Fprint(&out, err, secret.String(), secret.GoString(), errors.New(secret.String()))
	for _, form := range []string{"open-sesame", "6f70656e", "6F70656E"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret shows:\n%s", out.String())
		}
	}
	if secret.Reveal() != "open-sesame" {
		t.Error("Reveal does not")
	}
}

func TestSecretCanBeRead(t *testing.T) {
	var p seqr.Principal
	if err := json.Unmarshal([]byte(`{"Password":"open-sesame"}`), &p); err != nil || p.Password.Reveal() != "open-sesame" {
		t.Errorf("%q, %v", p.Password.Reveal(), err)
	}
}

type recorder struct {
	mu  sync.Mutex
	all []seqr.Exchange
}

func (r *recorder) Record(x seqr.Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
}

// TestExchangesAndErrorsHoldNoSecret has a provider that repeats whatever it is told, in every part of its
// answer that ends up with people.
func TestExchangesAndErrorsHoldNoSecret(t *testing.T) {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(canary)
	for name, answer := range map[string]string{
		"description": "<resultCode>20</resultCode><resultDescription>no user with " + escaped + "</resultDescription>",
		"CDATA":       "<resultCode>20</resultCode><resultDescription><![CDATA[no user with " + canary + "]]></resultDescription>",
		"fault":       "",
		"nonsense":    "<resultCode>" + escaped + "</resultCode>",
		"not HTTP":    "",
	} {
		calls := everyCall()
		delete(calls, "benchmarkingNop") // sends no password
		for operation, call := range calls {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				request, _ := io.ReadAll(r.Body)
				if !bytes.Contains(request, []byte(escaped)) {
					t.Errorf("%s: the request has no password", operation)
				}
				body := answerTo(operation, answer)
				switch name {
				case "not HTTP":
					c, _, _ := w.(http.Hijacker).Hijack()
					_, _ = io.WriteString(c, canary+" is no HTTP\r\n\r\n")
					_ = c.Close()
					return
				case "fault":
					body = `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Client</faultcode><faultstring>` + strings.Repeat("x", 490) +
						escaped + `</faultstring></S:Fault></S:Body></S:Envelope>`
				}
				_, _ = io.WriteString(w, body)
			})
			rec := &recorder{}
			err := call(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL, Recorder: rec}))
			noSecretIn(t, operation+", "+name, err, rec)
		}
	}
}

func noSecretIn(t *testing.T, name string, err error, rec *recorder) {
	t.Helper()
	if err == nil || len(rec.all) != 1 {
		t.Fatalf("%s: error %v, %d exchanges", name, err, len(rec.all))
	}
	x := rec.all[0]
	var chain strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&chain, "%v %+v %#v\n", e, e, e)
	}
	for part, text := range map[string]string{
		"error": chain.String(), "request": string(x.Request), "response": string(x.Response), "Err": x.Err, "exchange": fmt.Sprintf("%+v", x),
	} {
		if strings.Contains(text, "xyzzy") {
			t.Errorf("%s: the %s holds the password: %.300s", name, part, text)
		}
	}
}

func TestRecorder(t *testing.T) {
	rec := &recorder{}
	s := answering(t, 200, answerTo("cancelInvoice", "<resultCode>50</resultCode>"))
	c := newClient(t, seqr.Config{Endpoint: s.URL, Recorder: rec})
	refused := cancelOne(t.Context(), c)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	unsent := cancelOne(ended, c)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	nonsense := cancelOne(t.Context(), c)

	if len(rec.all) != 3 {
		t.Fatalf("%d exchanges", len(rec.all))
	}
	for i, err := range []error{refused, unsent, nonsense} {
		x := rec.all[i]
		if x.Operation != "cancelInvoice" || x.At.IsZero() || x.Duration <= 0 || x.Err != err.Error() ||
			!bytes.Contains(x.Request, []byte("<password>***</password>")) || !bytes.Contains(x.Request, []byte("<invoiceReference>1<")) {
			t.Errorf("%d: %+v\n%s", i, x, x.Request)
		}
	}
	if x := rec.all[0]; x.Sent != seqr.Answered || x.Code == nil || *x.Code != seqr.CannotCancelPaidInvoice || x.HTTPStatus != 200 ||
		!bytes.Contains(x.Response, []byte("<resultCode>50<")) {
		t.Errorf("refused: %+v", x)
	}
	if x := rec.all[1]; x.Sent != seqr.NotSent || x.Code != nil || x.HTTPStatus != 0 || len(x.Response) != 0 {
		t.Errorf("unsent: %+v", x)
	}
	if x := rec.all[2]; x.Sent != seqr.MaybeSent || x.Code != nil || x.HTTPStatus != 200 || string(x.Response) != "<html>" {
		t.Errorf("nonsense: %+v", x)
	}
}
