package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
	"github.com/seqrflow/seqrflow/services/gateway"
)

// joined is a gateway with two shops that are joined as they should be, and a destination.
type joined struct {
	check    connectionCheck
	woo      *shopsim.Woo
	shopify  *shopsim.Shopify
	now      time.Time // by the shops' clocks
	folder   string
	base     string
	wooHooks string // the URL of the webhooks
}

const joinedDay = "2026-11-26"

func (j *joined) secret(t *testing.T, name, text string) connections.SecretFiles {
	t.Helper()
	file := filepath.Join(j.folder, name)
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return connections.SecretFiles{file}
}

// joinShops starts shops, a gateway that knows their secrets, and makes their webhooks.
func joinShops(t *testing.T) *joined {
	t.Helper()
	now, err := time.Parse(time.DateOnly, joinedDay)
	if err != nil {
		t.Fatal(err)
	}
	j := &joined{folder: t.TempDir(), now: now}
	clock := func() time.Time { return j.now }
	j.woo, j.shopify = shopsim.NewWoo(shopsim.WooConfig{Now: clock}), shopsim.NewShopify(shopsim.ShopifyConfig{Now: clock})
	t.Cleanup(j.woo.Close)
	t.Cleanup(j.shopify.Close)
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	const whsec = "whsec_c2VxcmZsb3dzZXFyZmxvd3NlcXJmbG93c2VxcmZsb3c="
	f := connections.File{Connections: map[string]connections.Connection{
		"acme": {
			APIToken: j.secret(t, "token", "a-token-of-enough-characters"),
			WooCommerce: &connections.WooCommerce{
				URL: serve(j.woo), PaymentMethods: []string{"seqr"}, WebhookSecret: j.secret(t, "woo", "woo's & secret"),
				ConsumerKey: j.secret(t, "ck", "ck_demo"), ConsumerSecret: j.secret(t, "cs", "cs_demo"),
			},
			Webhooks: []connections.Webhook{{Name: "erp", URL: serve(http.NotFoundHandler()), Secrets: j.secret(t, "erp", whsec)}},
		},
		"fjell": {
			Shopify: &connections.Shopify{
				Domain: "fjell.myshopify.com", URL: serve(j.shopify), Gateways: []string{"SEQR"}, APIVersion: "2026-10",
				WebhookSecret: j.secret(t, "shpss", "shpss_demo"), AccessToken: j.secret(t, "shpat", "shpat_demo"),
			},
			Events: &connections.Events{Secrets: j.secret(t, "events", whsec)},
		},
	}}
	r := rig.New(t, sandbox.Config{})
	g, err := gateway.New(gateway.Config{Bus: r.Bus, Connections: f, Log: r.Log})
	if err != nil {
		t.Fatal(err)
	}
	j.base = serve(g)
	j.wooHooks = j.base + "/hooks/acme/woocommerce"
	f.Checkout = connections.Checkout{BaseURL: j.base + "/", Key: j.secret(t, "checkout", strings.Repeat("k", checkout.MinKey))}
	for _, topic := range woocommerce.Topics() {
		if _, err := j.woo.AddWebhook(topic, j.wooHooks, "woo's & secret"); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range shopify.Topics() {
		j.shopify.Subscribe(topic, j.base+"/hooks/fjell/shopify")
	}
	j.check = connectionCheck{f, app.ShopList{app.AnyShop: demoShop()}, "", clock}
	return j
}

// bad gives the findings that are not ok.
func bad(all []finding) []finding {
	return slices.DeleteFunc(all, func(f finding) bool { return f.Level == ok })
}

func TestDoctorIsContentWithJoinedShops(t *testing.T) {
	j := joinShops(t)
	all := j.check.findings(t.Context())
	if wrong := bad(slices.Clone(all)); len(wrong) > 0 {
		t.Errorf("%+v", wrong)
	}
	for _, want := range []string{
		"shops' systems are to send to " + j.base + " (checkout.base_url)", "connections.acme: 5 secrets can be read", "connections.acme.woocommerce: the gateway answers at " + j.wooHooks,
		"takes the consumer key for reading and writing", "the 4 webhooks are active", "connections.acme.webhooks.erp: ", "connections.fjell.shopify: the gateway answers at ",
		"the Admin API takes the access token", "2026-10 is served until 2027-10-01", "the app's 4 webhooks go to " + j.base + "/hooks/fjell/shopify",
	} {
		if !slices.ContainsFunc(all, func(f finding) bool { return strings.Contains(f.What, want) }) {
			t.Errorf("nothing says %q: %+v", want, all)
		}
	}
	changeShopify(func(s *connections.Shopify) {
		s.AccessToken, s.ClientID, s.ClientSecret = nil, "client_demo", s.WebhookSecret
	})(&j.check)
	if wrong := bad(j.check.findings(t.Context())); len(wrong) > 0 {
		t.Errorf("with an app's id: %+v", wrong)
	}
	if n := len(j.woo.Orders()); n > 0 || len(j.woo.Deliveries()) > len(woocommerce.Topics()) {
		t.Errorf("the check has changed something in the shop")
	}
}

// TestDoctorsFindingsOfConnections has one mistake in each row, and the one finding that it brings, each with how to mend it.
func TestDoctorsFindingsOfConnections(t *testing.T) {
	j := joinShops(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>back soon</html>")) }))
	defer page.Close()
	for name, c := range map[string]struct {
		level level
		what  string // of the one finding
		mend  string
		spoil func(*connectionCheck)
	}{
		"no credentials at the provider": {fail, "connections.acme: the shop has no credentials", "add shops.acme", func(k *connectionCheck) {
			k.shops = app.ShopList{"fjell": demoShop()}
		}},
		"a secret that is missing": {fail, "connections.acme.woocommerce.webhook_secret_file: ", "the gateway will not start", changeWoo(func(w *connections.WooCommerce) {
			w.WebhookSecret = connections.SecretFiles{"/nowhere/secret"}
		})},
		"a key that is missing": {fail, "connections.acme.woocommerce.consumer_key_file: /nowhere/key does not exist", "notifier", changeWoo(func(w *connections.WooCommerce) {
			w.ConsumerKey = connections.SecretFiles{"/nowhere/key"}
		})},
		"a short token": {fail, "connections.acme.api_token_file: expected at least 20 characters", "the gateway", changeShop("acme", func(c *connections.Connection) {
			c.APIToken = j.secret(t, "short", "short")
		})},
		"a short key of the checkout": {fail, "checkout.key_file: expected at least 32 characters", "the gateway", func(k *connectionCheck) {
			k.Checkout.Key = j.secret(t, "short", "short")
		}},
		"a logo that is missing": {fail, "connections.acme.page.logo_file: open /nowhere/logo.svg: no such file", "the gateway", changeShop("acme", func(c *connections.Connection) {
			c.Page.Logo = "/nowhere/logo.svg"
		})},
		"a secret of a destination that is none": {fail, "connections.acme.webhooks.erp.secret_files: ", "the notifier", changeShop("acme", func(c *connections.Connection) {
			c.Webhooks[0].Secrets = j.secret(t, "noprefix", "not a whsec")
		})},
		"a secret of events that is none": {fail, "connections.fjell.events.secret_files: ", "the gateway", changeShop("fjell", func(c *connections.Connection) {
			c.Events = &connections.Events{Secrets: j.secret(t, "noprefix", "not a whsec")}
		})},
		"a destination that is down": {fail, "connections.acme.webhooks.erp is not reached: 127.0.0.1:1", "tried for 3 days", changeShop("acme", func(c *connections.Connection) {
			c.Webhooks[0].URL = "https://127.0.0.1:1/in"
		})},
		"a destination without TLS": {fail, "connections.acme.webhooks.erp is not reached: ", "certificate", changeShop("acme", func(c *connections.Connection) {
			c.Webhooks[0].URL = strings.Replace(c.Webhooks[0].URL, "http:", "https:", 1)
		})},
		"a destination in a private network": {fail, "private network", "check its url", changeShop("acme", func(c *connections.Connection) {
			c.Webhooks[0].URL = "https://10.1.2.3/"
		})},
		"a destination that is disabled": {warn, "connections.acme.webhooks.erp is disabled", "remove disabled", changeShop("acme", func(c *connections.Connection) {
			c.Webhooks[0].Disabled = true
		})},
		"another webhook secret": {fail, "does not know the webhook secret", "restart the gateway", changeWoo(func(w *connections.WooCommerce) {
			w.WebhookSecret = j.secret(t, "other", "another")
		})},
		"another key": {fail, "the shop refuses the consumer key", "Read/Write", changeWoo(func(w *connections.WooCommerce) {
			w.ConsumerKey = j.secret(t, "otherkey", "ck_other")
		})},
		"a shop elsewhere": {fail, "the shop has no REST API there", "without /wp-json", changeWoo(func(w *connections.WooCommerce) { w.URL += "/blog" })},
		"a page in place of the REST API": {fail, "a page answers in place of the REST API", "such as one for maintenance", changeWoo(func(w *connections.WooCommerce) {
			w.URL = page.URL
		})},
		"a shop that is down": {fail, "the shop does not answer", "check url", changeWoo(func(w *connections.WooCommerce) {
			w.URL = "https://127.0.0.1:1"
		})},
		"a payment method that the shop has not": {fail, `no payment method with the id "sqer"`, "the shop has seqr, cheque", changeWoo(func(w *connections.WooCommerce) { w.PaymentMethods = []string{"sqer"} })},
		"a payment method that is off":           {warn, `the payment method "cheque" is switched off`, "Payments", changeWoo(func(w *connections.WooCommerce) { w.PaymentMethods = []string{"seqr", "cheque"} })},
		"another access token": {fail, "the shop refuses the access token", "access_token_file", changeShopify(func(s *connections.Shopify) {
			s.AccessToken = j.secret(t, "othertoken", "shpat_other")
		})},
		"another app's secret": {fail, "connections.fjell.shopify: the gateway at", "restart the gateway", changeShopify(func(s *connections.Shopify) {
			s.WebhookSecret = j.secret(t, "other", "another")
		})},
		"another app": {fail, "Shopify gives the app no access token", "one organization", changeShopify(func(s *connections.Shopify) {
			s.AccessToken, s.ClientID, s.ClientSecret = nil, "client_other", j.secret(t, "shpss", "shpss_demo")
		})},
		"an app's secret that is missing": {fail, "connections.fjell.shopify.client_secret_file: ", "the notifier", changeShopify(func(s *connections.Shopify) {
			s.AccessToken, s.ClientID, s.ClientSecret = nil, "client_demo", connections.SecretFiles{"/nowhere/secret"}
		})},
		"a version that is over":         {fail, "2025-07 is served until 2026-07-01 only", "set api_version", changeShopify(func(s *connections.Shopify) { s.APIVersion = "2025-07" })},
		"a version that is near its end": {warn, "2026-01 is served until 2027-01-01 only", "set api_version", changeShopify(func(s *connections.Shopify) { s.APIVersion = "2026-01" })},
		"a version that is to come":      {warn, "2027-01 is not released yet", "set api_version", changeShopify(func(s *connections.Shopify) { s.APIVersion = "2027-01" })},
		"an API that is down": {fail, "the shop does not answer", "check domain", changeShopify(func(s *connections.Shopify) {
			s.URL = "https://127.0.0.1:1"
		})},
	} {
		t.Run(name, func(t *testing.T) {
			k := j.check.clone()
			c.spoil(&k)
			got := bad(k.findings(t.Context()))
			if len(got) != 1 || got[0].Level != c.level || !strings.Contains(got[0].What, c.what) || !strings.Contains(got[0].Mend, c.mend) {
				t.Errorf("%+v", got)
			}
			if text := fmt.Sprint(got); strings.Contains(text, "_demo") || strings.Contains(text, "another") {
				t.Errorf("a secret in %s", text)
			}
		})
	}
}

// clone lets a row change a connection for itself.
func (k connectionCheck) clone() connectionCheck {
	of := map[string]connections.Connection{}
	for shop, c := range k.Connections {
		if c.WooCommerce != nil {
			w := *c.WooCommerce
			c.WooCommerce = &w
		}
		if c.Shopify != nil {
			s := *c.Shopify
			c.Shopify = &s
		}
		c.Webhooks = slices.Clone(c.Webhooks)
		of[shop] = c
	}
	k.Connections = of
	return k
}

func changeShop(shop string, change func(*connections.Connection)) func(*connectionCheck) {
	return func(k *connectionCheck) {
		c := k.Connections[shop]
		change(&c)
		k.Connections[shop] = c
	}
}

func changeWoo(change func(*connections.WooCommerce)) func(*connectionCheck) {
	return changeShop("acme", func(c *connections.Connection) { change(c.WooCommerce) })
}

func changeShopify(change func(*connections.Shopify)) func(*connectionCheck) {
	return changeShop("fjell", func(c *connections.Connection) { change(c.Shopify) })
}

func TestDoctorComparesTheShopsClock(t *testing.T) {
	j := joinShops(t)
	real := j.now
	j.check.now = func() time.Time { return real }
	j.now = real.Add(-5 * time.Minute)
	got := bad(j.check.findings(t.Context()))
	if len(got) != 2 || got[0].Level != warn || !strings.Contains(got[0].What, "connections.acme.woocommerce: the shop's clock and this machine's are 5m0s apart") || !strings.Contains(got[1].What, "fjell.shopify") {
		t.Errorf("%+v", got)
	}
}

func TestDoctorLooksAtTheWebhooksOfWooCommerce(t *testing.T) {
	j := joinShops(t)
	ask := func() string { return fmt.Sprint(bad(j.check.findings(t.Context()))) }

	dead := httptest.NewServer(http.NotFoundHandler())
	h, err := j.woo.AddWebhook("order.created", dead.URL+"/hooks/acme/woocommerce", "woo's & secret")
	if err == nil || h.ID == 0 {
		t.Fatal(h, err)
	}
	if got := ask(); got != "[]" {
		t.Errorf("a webhook to somewhere else, besides: %s", got)
	}
	if _, err := j.woo.AddWebhook("order.created", j.wooHooks, "woo's & secret"); err != nil {
		t.Fatal(err)
	}
	if got := ask(); !strings.Contains(got, "the webhooks 1 6 send the same topic order.created") {
		t.Errorf("two: %s", got)
	}

	k := j.check
	k.Checkout.BaseURL = dead.URL // whose one webhook fails from now on
	for range 7 {
		j.woo.Place(shopsim.Cart{Items: shopsim.DemoProducts[:1]})
	}
	j.woo.Wait()
	got := fmt.Sprint(bad(k.findings(t.Context())))
	dead.Close()
	for _, want := range []string{"has switched webhook 5 (order.created) off", "delete the webhook and make it anew", "webhook 2 (order.updated) goes to " + j.wooHooks} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}

	for status, hooks := range map[string][]woocommerce.Webhook{
		"webhook 3 (order.updated) is paused":         {{ID: 3, Status: "paused", Topic: "order.updated", DeliveryURL: j.wooHooks}},
		"the shop has no webhook for order.updated":   {{ID: 4, Status: "active", Topic: "order.updated", DeliveryURL: "https://hooks.example/hooks/catch/1"}},
		"webhook 6 (order.updated) goes to " + j.base: {{ID: 6, Status: "active", Topic: "order.updated", DeliveryURL: j.base + "/hook/acme/woocomerce"}},
		"webhook 5 (order.updated) goes to https://x": {{ID: 5, Status: "active", Topic: "order.updated", DeliveryURL: "https://x.example/hooks/other/woocommerce/"}},
	} {
		if f := wooWebhookFinding("x", "order.updated", []string{j.wooHooks}, hooks); f.Level != fail || !strings.Contains(f.What, status) || f.Mend == "" {
			t.Errorf("%s: %+v", status, f)
		}
	}
}

// TestDoctorReportsWhatAShopDoesNotLetItSee: faults of the shop's API, each on one operation.
func TestDoctorReportsWhatAShopDoesNotLetItSee(t *testing.T) {
	j := joinShops(t)
	denied := func(on string) shopsim.Fault {
		return shopsim.Fault{On: on, Code: http.StatusUnauthorized, Body: `{"code":"woocommerce_rest_authentication_error"}`}
	}
	for on, want := range map[string]string{
		shopsim.OpUpdateOrder:  "the consumer key may read orders but not change them",
		shopsim.OpListMethods:  "payment_methods were not compared",
		shopsim.OpListWebhooks: "the webhooks were not compared",
	} {
		j.woo.SetFaults(denied(on))
		if got := bad(j.check.findings(t.Context())); len(got) != 1 || !strings.Contains(got[0].What, want) {
			t.Errorf("%s: %+v", on, got)
		}
	}
	j.woo.SetFaults(shopsim.Fault{Code: http.StatusMovedPermanently, Header: http.Header{"Location": {"https://www.shop.example/"}}})
	if got := bad(j.check.findings(t.Context())); len(got) != 1 || !strings.Contains(got[0].Mend, "set url to the address that the browser shows") {
		t.Errorf("a redirect: %+v", got)
	}
	j.woo.SetFaults(shopsim.Fault{Code: http.StatusBadGateway})
	j.shopify.SetFaults(shopsim.Throttled(0))
	if got := bad(j.check.findings(t.Context())); len(got) != 2 || !strings.Contains(got[0].What, "502") || !strings.Contains(got[1].What, "Throttled") {
		t.Errorf("%+v", got)
	}
}

func TestDoctorLooksAtTheAppOfShopify(t *testing.T) {
	settings := connections.Shopify{Domain: "fjell.myshopify.com"}
	found := shopify.Inspection{Domain: "berg.myshopify.com", Scopes: []string{"read_orders"}}
	got := fmt.Sprint(bad(shopifyShopFindings("x", settings, found)))
	if !strings.Contains(got, "is of berg.myshopify.com, not of fjell.myshopify.com") || !strings.Contains(got, "lacks the scopes write_orders") {
		t.Error(got)
	}
	urls := []string{"https://pay.example.com/hooks/fjell/shopify"}
	found.Subscriptions = []shopify.Subscription{{Topic: "orders/create", Address: urls[0]}, {Topic: "orders/updated", Address: "https://old.example/hooks/fjell/shopify"}}
	hooks := shopifyWebhookFindings("x", urls, found)
	if len(hooks) != 2 || hooks[0].Level != fail || !strings.Contains(hooks[0].What, "orders/updated goes to https://old.example") ||
		hooks[1].Level != warn || !strings.Contains(hooks[1].What, "for orders/cancelled, refunds/create") {
		t.Errorf("%+v", hooks)
	}
	now, _ := time.Parse(time.DateOnly, joinedDay)
	if f := apiVersionFinding("x", "2025-10", "2026-01", now); f.Level != fail || !strings.Contains(f.What, "answers 2025-10 as 2026-01") {
		t.Errorf("%+v", f)
	}
}
