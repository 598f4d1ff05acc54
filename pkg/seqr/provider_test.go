package seqr_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// canary is the password in these tests, with everything in it that needs escaping.
const canary = `canary<&>"'ö-xyzzy`

// answering starts a provider that says the same to everybody.
func answering(t testing.TB, status int, body string) *httptest.Server {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func newClient(t testing.TB, config seqr.Config) *seqr.Client {
	t.Helper()
	if config.ClientID == "" {
		config.ClientID, config.ClientReference = "Example AB", "till/1.0"
	}
	c, err := seqr.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func till() seqr.Principal { return seqr.Terminal("till-1", canary) }

func shop() seqr.Principal { return seqr.ResellerUser("shop-1", "9900", canary) }

func sek(value string) seqr.Amount {
	return seqr.Amount{Currency: "SEK", Value: decimal.MustParse(value)}
}

// answerTo wraps what stands inside <return>.
func answerTo(operation, inside string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>`+
		`<ns2:%[1]sResponse xmlns:ns2="http://external.interfaces.ers.seamless.com/"><return>%[2]s</return></ns2:%[1]sResponse>`+
		`</S:Body></S:Envelope>`, operation, inside)
}

func recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/answers/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ers is a reference as the provider gives them to payments and periods.
const ers = "2026031412301512300000042"
