package notifier_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/services/notifier"
)

// TestEachDestinationOfAConnectionHasASystem: no destination that connections.yaml may name is forgotten, and no secret is read but
// those of calls.
func TestEachDestinationOfAConnectionHasASystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := fmt.Sprintf(`
connections:
  acme:
    woocommerce: {url: https://shop.example, payment_methods: [seqr], webhook_secret_file: absent, consumer_key_file: %[1]s, consumer_secret_file: %[1]s}
  fjell:
    api_token_file: absent
    events: {secret_files: absent}
    shopify: {domain: fjell.myshopify.com, gateways: [SEQR], api_version: 2026-10, webhook_secret_file: absent, access_token_file: %[1]s}
    webhooks:
      - {name: erp, url: "http://127.0.0.1:9000/in", secret_files: %[2]s, events: [paid]}
      - {name: off, url: "http://127.0.0.1:9000/in", secret_files: absent, disabled: true}
  skog:
    shopify: {domain: skog.myshopify.com, gateways: [SEQR], api_version: 2026-10, webhook_secret_file: absent, client_id: app, client_secret_file: %[1]s}
checkout: {base_url: https://pay.example.com, key_file: absent}
`, file("key", "a-key"), file("signing", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))
	f, err := connections.Load(file("connections.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := notifier.Destinations(f)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, d := range all {
		got = append(got, d.Shop+" "+d.Name)
		if (d.Outbound == nil) != d.Disabled || d.Disabled != (d.Name == "off") {
			t.Errorf("%+v", d)
		}
	}
	for _, shop := range f.Shops() {
		for _, name := range f.Connections[shop].Destinations() {
			want = append(want, shop+" "+name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("destinations %q; the connections have %q", got, want)
	}

	if err := os.Remove(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if _, err := notifier.Destinations(f); err == nil || !strings.Contains(err.Error(), "connections.fjell: shopify: access_token_file: ") {
		t.Errorf("an absent secret: %v", err)
	}
}
