package seqr_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// compressed gives text as an encoding has it.
func compressed(t testing.TB, encoding, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, err = flate.NewWriter(&b, flate.BestCompression)
	default:
		return []byte(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// answeringIn starts a provider behind a proxy that encodes answers whatever the client has asked for.
func answeringIn(t testing.TB, encoding string, body []byte) *seqr.Client {
	t.Helper()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != "identity" {
			t.Errorf("Accept-Encoding: %q", got)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = w.Write(body)
	})
	return newClient(t, seqr.Config{Endpoint: s.URL})
}

func TestCompressedAnswers(t *testing.T) {
	answer := answerTo("cancelInvoice", "<resultCode>95</resultCode>")
	packed := compressed(t, "gzip", answer)
	broken := bytes.Clone(packed)
	broken[len(broken)-6]++ // in the checksum
	bomb := answerTo("cancelInvoice", "<resultCode>95</resultCode><resultDescription>"+strings.Repeat(" ", 2<<20)+"</resultDescription>")
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		fails    string // what the error says; empty: the answer is read
	}{
		"not asked for, not compressed": {"", []byte(answer), ""},
		"identity":                      {"identity", []byte(answer), ""},
		"gzip":                          {"gzip", packed, ""},
		"gzip in capitals":              {" GZIP ", packed, ""},
		"x-gzip":                        {"x-gzip", packed, ""},
		"gzip in two members":           {"gzip", append(compressed(t, "gzip", answer[:100]), compressed(t, "gzip", answer[100:])...), ""},
		"deflate":                       {"deflate", compressed(t, "zlib", answer), ""},
		"deflate without its header":    {"deflate", compressed(t, "flate", answer), ""},
		"gzip cut short":                {"gzip", packed[:len(packed)-20], "unexpected EOF"},
		"gzip without its end":          {"gzip", packed[:len(packed)-8], "unexpected EOF"},
		"gzip with a wrong checksum":    {"gzip", broken, "gzip: invalid checksum"},
		"gzip of nothing":               {"gzip", nil, "unexpected EOF"},
		"no gzip at all":                {"gzip", []byte(answer), "gzip: invalid header"},
		"deflate cut short":             {"deflate", compressed(t, "zlib", answer)[:40], "unexpected EOF"},
		"deflate of nothing":            {"deflate", nil, "unexpected EOF"},
		"a bomb":                        {"gzip", compressed(t, "gzip", bomb), "larger than allowed"},
		"a bomb, deflated":              {"deflate", compressed(t, "zlib", bomb), "larger than allowed"},
		"empty members without end":     {"gzip", bytes.Repeat(compressed(t, "gzip", ""), 100_000), "larger than allowed"},
		"brotli":                        {"br", []byte(answer), `encoded as "br"`},
		"twice":                         {"gzip, gzip", compressed(t, "gzip", string(packed)), `encoded as "gzip, gzip"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := cancelOne(t.Context(), answeringIn(t, c.encoding, c.body))
			if c.fails == "" {
				if !seqr.IsAlreadyCanceled(err) {
					t.Error(err)
				}
				return
			}
			var e *seqr.Error
			if !errors.As(err, &e) || e.Sent != seqr.MaybeSent || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("expected an unknown outcome with %q, got %v", c.fails, err)
			}
		})
	}
}

// TestCompressedReport: the bound is on what comes out.
func TestCompressedReport(t *testing.T) {
	content := strings.Repeat("row ", 1<<20)
	answer := answerTo("executeReport", "<resultCode>0</resultCode><report><contentString>"+content+"</contentString></report>")
	report, err := answeringIn(t, "gzip", compressed(t, "gzip", answer)).ExecuteReport(t.Context(), seqr.ExecuteReport{As: shop()})
	if err != nil || string(report.Content) != content {
		t.Errorf("%d bytes, %v", len(report.Content), err)
	}
}
