package connections_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
)

const good = `
connections:
  acme:
    woocommerce: {url: https://shop.example, payment_methods: [seqr], webhook_secret_file: [new, old], consumer_key_file: k, consumer_secret_file: s}
    page: {name: Acme, colour: "#0a7d3c", return_url: "https://shop.example/checkout/order-received/{order}/?key={key}", framed_by: [https://shop.example]}
  fjell & co:
    shopify: {domain: fjell.myshopify.com, gateways: [SEQR], api_version: 2026-10, webhook_secret_file: w, access_token_file: a}
  beta:
    api_token_file: t
    events: {secret_files: [new, old]}
    webhooks:
      - {name: erp, url: "http://127.0.0.1:9000/in", secret_files: [new, old], events: [paid, refunded, canceled, expired]}
checkout: {base_url: https://pay.example.com, key_file: c}
`

func load(t *testing.T, body string) (connections.File, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "connections.yaml")
	if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	return connections.Load(name)
}

func TestEachMistakeIsNamedWithItsPath(t *testing.T) {
	if _, err := load(t, good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"payment_methods: [seqr]", "payment_method: [seqr]", "connections.acme.woocommerce.payment_method: no such key; did you mean payment_methods?"},
		{"payment_methods: [seqr], ", "", "connections.acme.woocommerce.payment_methods: missing"},
		{"url: https://shop.example,", "url: http://shop.example,", `connections.acme.woocommerce.url: expected https (http only to this machine), got "http://shop.example"`},
		{"url: https://shop.example,", `url: "https://u:hunter2@shop.example",`, `connections.acme.woocommerce.url: expected a URL without a user or password, got "https://shop.example"`},
		{"url: https://shop.example,", `url: "https://u:hunter2@shop.example:x",`, `connections.acme.woocommerce.url: expected a URL such as https://shop.example`},
		{"url: https://shop.example, ", "", "connections.acme.woocommerce.url: expected a URL"},
		{"url: https://shop.example,", "url: https://shop.example/sub/wp-json/,", "connections.acme.woocommerce.url: expected the address of the site, without /wp-json"},
		{"url: https://shop.example,", "url: https://shop.example/wp-admin,", "connections.acme.woocommerce.url: expected the address of the site, without /wp-json or /wp-admin"},
		{"url: https://shop.example,", `url: "https://shop.example?page=1",`, "connections.acme.woocommerce.url: expected the address of the site, without ? and #"},
		{"url: https://shop.example,", "url: https://shop.example:99999,", "connections.acme.woocommerce.url: expected a port of 1 to 65535"},
		{"payment_methods: [seqr]", `payment_methods: [seqr, ""]`, "connections.acme.woocommerce.payment_methods[1]: empty: expected the ids"},
		{"payment_methods: [seqr]", "payment_methods: seqr", "connections.acme.woocommerce.payment_methods: expected a list, such as [a, b], got a text"},
		{"webhook_secret_file: [new, old]", "webhook_secret_file: {new: old}", "connections.acme.woocommerce.webhook_secret_file: expected the name of a file, or a list of names"},
		{"events: [paid, refunded, canceled, expired]", "events: paid", "connections.beta.webhooks[0].events: expected a list"},
		{"  acme:", `  "":`, `connections: expected the ids of shops as keys, got ""`},
		{"{order}", "{orderid}", `connections.acme.page.return_url: "{orderid}" stands for nothing: there are {order} and {key}`},
		{"consumer_key_file: k, ", "", "connections.acme.woocommerce.consumer_key_file: missing"},
		{"webhook_secret_file: [new, old]", "webhook_secret_file: []", "connections.acme.woocommerce.webhook_secret_file: missing"},
		{"#0a7d3c", "green", `connections.acme.page.colour: expected #rrggbb, got "green"`},
		{"order-received/{order}", "order-received/%zz", "connections.acme.page.return_url: expected a URL"},
		{"order-received/{order}", "order-received/{order", `connections.acme.page.return_url: "{" is not closed or not opened: there are {order} and {key}`},
		{"framed_by: [https://shop.example]", "framed_by: [https://shop.example/x]", "connections.acme.page.framed_by[0]: expected an origin"},
		{"fjell.myshopify.com", "https://fjell.myshopify.com", "connections.fjell & co.shopify.domain: expected a domain"},
		{"2026-10", "2026-11", `connections.fjell & co.shopify.api_version: expected a version such as 2026-10, got "2026-11"`},
		{"gateways: [SEQR]", "gateways: []", "connections.fjell & co.shopify.gateways: missing"},
		{"name: erp", "name: e.rp", `connections.beta.webhooks[0].name: expected 1 to 64`},
		{"name: erp", "name: shopify", `connections.beta.webhooks[0].name: "shopify" is the name of another destination`},
		{"refunded, canceled", "refund, canceled", `connections.beta.webhooks[0].events[1]: no such event: "refund"; there are issued`},
		{"checkout: {base_url: https://pay.example.com, ", "checkout: {", "checkout.base_url: expected a URL"},
		{", key_file: c}", "}", "checkout.key_file: missing"},
		{"https://pay.example.com,", "https://pay.example.com/pay,", `checkout.base_url: expected an address without a path, such as https://pay.example.com, got "https://pay.example.com/pay"`},
		{"https://pay.example.com,", `"https://pay.example.com/?x",`, "checkout.base_url: expected an address without a path"},
		{"https://pay.example.com,", `"https://pay.example.com#x",`, "checkout.base_url: expected an address without a path"},
		{", access_token_file: a", "", "shopify.access_token_file: missing"},
		{"access_token_file: a", "client_secret_file: a", "shopify.client_id: missing"},
		{"access_token_file: a", "client_id: app", "shopify.client_secret_file: missing"},
		{"access_token_file: a", "access_token_file: a, client_id: app", "shopify.access_token_file: expected either a token or client_id"},
	} {
		body := strings.Replace(good, c.from, c.to, 1)
		if body == good {
			t.Fatalf("%q is not in the file", c.from)
		}
		_, err := load(t, body)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: got %v; want %q", c.to, c.from, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("shows a password: %v", err)
		}
	}
}

func TestAddressesThatAreRight(t *testing.T) {
	for from, to := range map[string]string{
		"url: https://shop.example,": "url: https://shop.example/se/,",
		"https://pay.example.com,":   "https://pay.example.com:8443/,",
	} {
		if _, err := load(t, strings.Replace(good, from, to, 1)); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}

func TestAValueOfAnotherFormIsNotCalledMissingAsWell(t *testing.T) {
	_, err := load(t, strings.Replace(good, "payment_methods: [seqr]", "payment_methods: seqr", 1))
	if err == nil || strings.Count(err.Error(), "payment_methods") != 1 {
		t.Errorf("got %v", err)
	}
}

func TestAShopIsFoundByItsIDAndByItsToken(t *testing.T) {
	f, err := load(t, good)
	if err != nil {
		t.Fatal(err)
	}
	for _, shop := range []string{"fjell & co", events.Token("fjell & co")} {
		if id, c, ok := f.Of(shop); !ok || id != "fjell & co" || c.Shopify == nil {
			t.Errorf("%s: %q %v", shop, id, ok)
		}
	}
	if _, _, ok := f.Of("nobody"); ok {
		t.Error("a shop that is not there was found")
	}
	if got := f.Connections["beta"].Destinations(); !reflect.DeepEqual(got, []string{"erp"}) {
		t.Errorf("destinations %v", got)
	}
}

func TestSecretsAreReadWhenAskedFor(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{"new": "n\n", "old": "o"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	both := connections.SecretFiles{filepath.Join(dir, "new"), filepath.Join(dir, "old")}
	if got, err := both.Read(); err != nil || !reflect.DeepEqual(got, []string{"n", "o"}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := (connections.SecretFiles{filepath.Join(dir, "none")}).Read(); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("an absent file: %v", err)
	}
	blank := filepath.Join(dir, "blank")
	if err := os.WriteFile(blank, []byte("hunter2 \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (connections.SecretFiles{blank}).Read(); err == nil || err.Error() != blank+" has a blank before or after the secret: remove it" {
		t.Errorf("a blank after a secret: %v", err)
	}
	if _, err := (connections.SecretFiles)(nil).Read(); err == nil {
		t.Error("no file: no error")
	}
}
