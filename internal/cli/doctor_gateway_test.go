package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
)

// TestDoctorKnowsTheGatewaysAddress: which setting says it, and what is said of a way to the gateway that does not work.
func TestDoctorKnowsTheGatewaysAddress(t *testing.T) {
	j := joinShops(t)
	k := j.check
	k.Checkout.BaseURL, k.notifyURL = "", j.base
	if got := k.findings(t.Context()); len(bad(slices.Clone(got))) > 0 || !strings.Contains(got[0].What, j.base+" (--notify-url)") {
		t.Errorf("--notify-url: %+v", got)
	}
	k.notifyURL = "http://gateway:8787" // of a private network: no shop reaches that
	if got := bad(k.findings(t.Context())); len(got) != 1 || got[0].Level != warn || !strings.Contains(got[0].Mend, "checkout.base_url") {
		t.Errorf("neither: %+v", got)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	k.notifyURL = other.URL
	got := fmt.Sprint(bad(k.findings(t.Context())))
	for _, want := range []string{other.URL + "/hooks/acme/woocommerce answers 404", "goes to " + j.wooHooks, "the webhook orders/create goes to " + j.base} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	k.notifyURL = "https://127.0.0.1:1"
	if got := fmt.Sprint(bad(k.findings(t.Context()))); !strings.Contains(got, "the gateway is not reached at https://127.0.0.1:1/hooks/acme/woocommerce") {
		t.Error(got)
	}
}

// A gateway that does not know the shop, or whose broker is away, is no gateway to a shop.
func TestDoctorSeesWhatAShopSeesOfTheGateway(t *testing.T) {
	for code, want := range map[int]string{404: "answers 404", 503: "answers 503", 401: "does not know the webhook secret"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		k := connectionCheck{File: connections.File{Checkout: connections.Checkout{BaseURL: s.URL}}}
		header, body := woocommerce.Probe("secret")
		if got := k.probeFinding(t.Context(), "x", k.hookURLs("acme", "woocommerce")[0], header, body); len(got) != 1 || got[0].Level != fail || !strings.Contains(got[0].What, want) {
			t.Errorf("%d: %+v", code, got)
		}
		s.Close()
	}
}

// A certificate that this machine refuses is refused by a shop's system too, unlike an address that only this machine does not reach.
func TestDoctorRefusesTheGatewaysBadCertificate(t *testing.T) {
	unknown := httptest.NewTLSServer(http.NotFoundHandler()) // of no authority that is known
	defer unknown.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for base, want := range map[string]finding{
		unknown.URL: {fail, "the certificate at " + unknown.URL + "/hooks/acme/woocommerce is not good", "TLS proxy, or checkout.base_url"},
		closed.URL:  {warn, "the gateway is not reached", "try from elsewhere"},
	} {
		k := connectionCheck{File: connections.File{Checkout: connections.Checkout{BaseURL: base}}}
		header, body := woocommerce.Probe("secret")
		got := k.probeFinding(t.Context(), "x", k.hookURLs("acme", "woocommerce")[0], header, body)
		if len(got) != 1 || got[0].Level != want.Level || !strings.Contains(got[0].What, want.What) || !strings.Contains(got[0].Mend, want.Mend) {
			t.Errorf("%+v", got)
		}
	}
}
