package seqr_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestHTTPStatus: what a proxy says proves nothing, what the provider says counts whatever the status.
func TestHTTPStatus(t *testing.T) {
	refusal := answerTo("cancelInvoice", "<resultCode>50</resultCode>")
	for name, c := range map[string]struct {
		status int
		body   string
		want   seqr.Class
		fault  bool
	}{
		"fault":                     {500, recorded(t, "fault.xml"), seqr.Unknown, true},
		"fault under 200":           {200, recorded(t, "fault.xml"), seqr.Unknown, true},
		"busy proxy":                {503, "<html>busy</html>", seqr.Unknown, false},
		"rate limit":                {429, "", seqr.Unknown, false},
		"wrong path":                {404, "not found", seqr.Unknown, false},
		"redirect":                  {302, "", seqr.Unknown, false},
		"no content":                {204, "", seqr.Unknown, false},
		"refusal":                   {200, refusal, seqr.Refused, false},
		"refusal under 500":         {500, refusal, seqr.Refused, false},
		"provider away, under 503":  {503, answerTo("cancelInvoice", "<resultCode>94</resultCode>"), seqr.TryAgain, false},
		"success, denied by status": {500, answerTo("cancelInvoice", "<resultCode>0</resultCode>"), seqr.Unknown, false},
	} {
		client := newClient(t, seqr.Config{Endpoint: answering(t, c.status, c.body).URL})
		err := client.CancelInvoice(t.Context(), seqr.CancelInvoice{As: till(), InvoiceReference: "1"})
		var e *seqr.Error
		if !errors.As(err, &e) || e.Class() != c.want || e.HTTPStatus != c.status {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var fault *seqr.Fault
		if errors.As(err, &fault) != c.fault || c.fault && *fault != (seqr.Fault{Code: "S:Server", Text: "java.lang.NullPointerException"}) {
			t.Errorf("%s: fault %+v", name, fault)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, elsewhere.URL, status)
		})
		err := newClient(t, seqr.Config{Endpoint: s.URL}).CancelInvoice(t.Context(), seqr.CancelInvoice{As: till()})
		if seqr.Classify(err) != seqr.Unknown {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestAnswerSizeIsBounded(t *testing.T) {
	padded := answerTo("cancelInvoice", "<resultCode>0</resultCode>"+strings.Repeat(" ", 5000))
	for name, handler := range map[string]http.HandlerFunc{
		"announced": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, padded) },
		"streamed": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, padded)
		},
	} {
		s := serve(t, handler)
		cancel := func(limit int64) error {
			c := newClient(t, seqr.Config{Endpoint: s.URL, MaxResponse: limit})
			return c.CancelInvoice(t.Context(), seqr.CancelInvoice{As: till()})
		}
		if err := cancel(int64(len(padded))); err != nil {
			t.Errorf("%s: at the limit: %v", name, err)
		}
		if err := cancel(int64(len(padded)) - 1); seqr.Classify(err) != seqr.Unknown || !strings.Contains(err.Error(), "larger") {
			t.Errorf("%s: over the limit: %v", name, err)
		}
	}
}

func TestCharsets(t *testing.T) {
	latin1 := strings.Replace(answerTo("cancelInvoice", "<resultCode>11</resultCode><resultDescription>f\xf6r mycket</resultDescription>"), "UTF-8", "ISO-8859-1", 1)
	for name, c := range map[string]struct {
		contentType, body string
		want              seqr.Class
	}{
		"declared":         {"text/xml", latin1, seqr.Refused},
		"header":           {"text/xml; charset=ISO-8859-1", strings.Replace(latin1, "ISO-8859-1", "UTF-8", 1), seqr.Refused},
		"header before":    {"text/xml; charset=utf-8", latin1, seqr.Unknown},
		"wrongly declared": {"text/xml", strings.Replace(latin1, "ISO-8859-1", "utf-8", 1), seqr.Unknown},
		"malformed header": {"text/xml; charset", latin1, seqr.Refused},
		"windows":          {"text/xml; charset=windows-1252", latin1, seqr.Refused},
		"UTF-16":           {"text/xml; charset=utf-16le", utf16Of(answerTo("cancelInvoice", "<resultCode>11</resultCode><resultDescription>för mycket</resultDescription>"), binary.LittleEndian), seqr.Refused},
		"unknown":          {"text/xml; charset=x-nobodys", latin1, seqr.Unknown},
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", c.contentType)
			_, _ = io.WriteString(w, c.body)
		})
		err := newClient(t, seqr.Config{Endpoint: s.URL}).CancelInvoice(t.Context(), seqr.CancelInvoice{As: till()})
		if seqr.Classify(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == seqr.Refused && !strings.Contains(err.Error(), "för mycket") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestContextEndsACall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made under an ended context") })
	for operation, call := range everyCall() {
		err := call(ctx, newClient(t, seqr.Config{Endpoint: s.URL}))
		var e *seqr.Error
		if !errors.As(err, &e) || e.Sent != seqr.NotSent || e.Class() != seqr.TryAgain || !errors.Is(err, context.Canceled) || e.Operation != operation {
			t.Errorf("%s: %v", operation, err)
		}
	}
}
