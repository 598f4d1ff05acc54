package seqr_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

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
	fmt.Fprint(&out, err, secret.String(), errors.New(secret.String()))
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

// secretIn gives what a provider says, raw, to a refused cancelInvoice; it is cut short where announced says so.
func secretIn(t *testing.T, contentType, body string, announced int) (*recorder, error) {
	t.Helper()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(announced))
		_, _ = io.WriteString(w, body)
	})
	rec := &recorder{}
	return rec, cancelOne(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL, Recorder: rec}))
}

// TestSecretIsMaskedInEveryCharset: an answer in an unknown charset is recorded as the octets it came in, and the
// charset that an answer names may not be the one that it is in.
func TestSecretIsMaskedInEveryCharset(t *testing.T) {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(canary)
	for _, charset := range []string{"x-nobodys", "koi8-r", "iso-8859-1", "windows-1251"} {
		for _, spelled := range []string{canary, escaped} {
			for name, octets := range map[string]string{
				"UTF-8":      spelled,
				"ISO-8859-1": latin1Of(spelled),
				"UTF-16LE":   utf16Of(spelled, binary.LittleEndian),
				"UTF-16BE":   utf16Of(spelled, binary.BigEndian),
			} {
				body := "<html>" + octets + "</html>"
				rec, err := secretIn(t, "text/xml; charset="+charset, body, len(body))
				noSecretIn(t, name+" as "+charset, err, rec)
				if got := string(rec.all[0].Response); got != "<html>***</html>" {
					t.Errorf("%s as %s: recorded %q", name, charset, got)
				}
			}
		}
	}
	for name, octets := range map[string]string{"ISO-8859-1": latin1Of(canary), "UTF-16LE": utf16Of(canary, binary.LittleEndian)} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(c, octets+"\r\n\r\n")
			_ = c.Close()
		})
		rec := &recorder{}
		noSecretIn(t, name+", not HTTP", cancelOne(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL, Recorder: rec})), rec)
	}
}

func latin1Of(text string) string {
	var out []byte
	for _, r := range text {
		out = append(out, byte(r))
	}
	return string(out)
}

func utf16Of(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// TestSecretIsMaskedBehindReferences: in what is recorded, and in what the provider's words become.
func TestSecretIsMaskedBehindReferences(t *testing.T) {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(canary)
	for name, echo := range map[string]string{
		"decimal":      "&#99;" + escaped[1:],
		"hexadecimal":  strings.NewReplacer("y", "&#x79;").Replace(escaped),
		"of the echo":  strings.ReplaceAll(escaped, "&", "&amp;"), // the request itself, as text
		"named quotes": strings.NewReplacer(`"`, "&QUOT;", "ö", "&ouml;").Replace(escaped),
	} {
		for part, body := range map[string]string{
			"answer": answerTo("cancelInvoice", "<resultCode>20</resultCode><resultDescription>no "+echo+" &lt;here&gt;</resultDescription>"),
			"HTML":   "<p>no " + echo + " here",
		} {
			rec, err := secretIn(t, "text/xml", body, len(body))
			noSecretIn(t, name+" in "+part, err, rec)
			seen := html.UnescapeString(html.UnescapeString(string(rec.all[0].Response) + rec.all[0].Err))
			if strings.Contains(seen, canary) || !strings.Contains(seen, "no ***") {
				t.Errorf("%s in %s: recorded %s", name, part, seen)
			}
		}
	}
	innocent := answerTo("cancelInvoice", "<resultCode>20</resultCode><resultDescription>&lt;&#99;anary&gt;</resultDescription>")
	if rec, _ := secretIn(t, "text/xml", innocent, len(innocent)); string(rec.all[0].Response) != innocent {
		t.Errorf("recorded %s", rec.all[0].Response)
	}
}

// TestBeginningOfASecretIsMasked where an answer breaks off, by the network or by our own limit.
func TestBeginningOfASecretIsMasked(t *testing.T) {
	for name, c := range map[string]struct{ said, recorded string }{
		"in the middle":       {"<p>canary<&", "<p>***"},
		"escaped":             {"<p>canary&lt;&am", "<p>***"},
		"behind references":   {"<p>c&#97;nary&lt;&#3", "<p>***"},
		"in a reference":      {"<p>&#99;an&#x6", "<p>***"},
		"UTF-16":              {utf16Of("<p>canar", binary.BigEndian), utf16Of("<p>", binary.BigEndian) + "***"},
		"half a character":    {"<p>" + canary[:strings.Index(canary, "ö")+1], "<p>***"},
		"after a whole one":   {"<p>" + canary + canary[:5], "<p>******"},
		"nothing of a secret": {"<p>canary bird &amp; ö", "<p>canary bird &amp; ö"},
	} {
		rec, err := secretIn(t, "text/xml", c.said, len(c.said)+100)
		if got := string(rec.all[0].Response); seqr.Classify(err) != seqr.Unknown || got != c.recorded {
			t.Errorf("%s: %v, recorded %q", name, err, got)
		}
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, c.said+canary)
		})
		limited := &recorder{}
		_ = cancelOne(t.Context(), newClient(t, seqr.Config{Endpoint: s.URL, Recorder: limited, MaxResponse: int64(len(c.said))}))
		if got := string(limited.all[0].Response); got != c.recorded {
			t.Errorf("%s, limited: recorded %q", name, got)
		}
	}
	whole := "<p>canary"
	if rec, _ := secretIn(t, "text/xml", whole, len(whole)); string(rec.all[0].Response) != whole {
		t.Errorf("an answer that was read whole is recorded as %q", rec.all[0].Response)
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

// TestRecorderIsGivenTheStatus: an exchange has the status that getPaymentStatus was answered, however the answer spells it,
// and none if the answer is no use.
func TestRecorderIsGivenTheStatus(t *testing.T) {
	for body, want := range map[string]seqr.InvoiceStatus{
		"<resultCode>0</resultCode><status>ISSUED</status><version>0</version>":               seqr.StatusIssued,
		"<resultCode>0</resultCode><status >\n<![CDATA[PAID]]> </status><version>0</version>": seqr.StatusPaid,
		"<resultCode>54</resultCode><version>0</version>":                                     "",
		"<resultCode>0</resultCode><status>ISSUED</status><version>x</version>":               "",
	} {
		rec := &recorder{}
		s := answering(t, 200, answerTo("getPaymentStatus", body))
		c := newClient(t, seqr.Config{Endpoint: s.URL, Recorder: rec})
		_, _ = c.GetPaymentStatus(t.Context(), seqr.GetPaymentStatus{As: seqr.Terminal("t", "secret"), InvoiceReference: "1"})
		if len(rec.all) != 1 || rec.all[0].Status != want {
			t.Errorf("%s: %+v, want status %q", body, rec.all, want)
		}
	}
}
