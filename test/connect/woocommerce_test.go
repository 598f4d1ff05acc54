package connect

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// TestWalkThroughOfWooCommerce follows docs/connect/woocommerce.md: a buyer's order is paid by the link of the page's snippet and
// becomes Processing in the shop, a refund by hand pays back, and a cancellation withdraws the invoice.
func TestWalkThroughOfWooCommerce(t *testing.T) {
	shop := shopsim.NewWoo(shopsim.WooConfig{ConsumerKey: "ck_0123456789abcdef", ConsumerSecret: "cs_0123456789abcdef", PaymentMethod: "cheque"})
	t.Cleanup(shop.Close)
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	w := begin(t, "woocommerce.md", "https://shop.example", server.URL)
	w.start()
	w.run(w.blocks["sh"][1])
	if n := len(shop.Webhooks()); n != 4 {
		t.Fatalf("the page's command makes %d webhooks", n)
	}
	w.doctor("acme")

	place := func() (shopsim.WooOrder, string) {
		o := shop.Place(shopsim.Cart{Items: shopsim.DemoProducts[:2]})
		w.awaitEvent("acme", fmt.Sprint(o.ID), events.EventIssued)
		return o, fmt.Sprint(o.ID)
	}
	o, id := place()
	w.pay(w.wooLink(t, o), "acme", id, o.Total)
	w.awaitTold("acme", "woocommerce", id, events.EventPaid)
	if o, err := shop.Order(o.ID); err != nil || o.Status != "processing" || o.TransactionID == "" {
		t.Errorf("paid, and the shop has %s, %v", o.Status, err)
	}
	w.look(id)

	if _, err := shop.Refund(o.ID, "10.00", ""); err != nil {
		t.Fatal(err)
	}
	w.awaitEvent("acme", id, events.EventRefunded)
	w.awaitTold("acme", "woocommerce", id, events.EventRefunded)
	if notes := shop.Effects(o.ID, shopsim.EffectNote); len(notes) != 1 || !strings.Contains(notes[0].Detail, "was paid back") {
		t.Errorf("%+v", notes)
	}

	o, id = place()
	if err := shop.SetStatus(o.ID, "cancelled"); err != nil {
		t.Fatal(err)
	}
	w.awaitEvent("acme", id, events.EventCanceled)
}

// wordpress is what the page's snippet uses of WordPress and WooCommerce. It prints what a buyer gets to see of the order, and whether
// its webhooks are sent at once.
const wordpress = `<?php
$hooks = array();
function add_action( $name, $f, $priority = 10, $args = 1 ) { global $hooks; $hooks[ $name ] = array( $f, $args ); }
function add_filter( $name, $f, $priority = 10, $args = 1 ) { add_action( $name, $f, $priority, $args ); }
function fire( $name, ...$args ) { global $hooks; return $hooks[ $name ][0]( ...array_slice( $args, 0, $hooks[ $name ][1] ) ); }
function esc_url( $url ) { return htmlspecialchars( $url, ENT_QUOTES ); }
function esc_url_raw( $url ) { return $url; }
class Order {
	function get_id() { return (int) getenv( 'ORDER_ID' ); }
	function get_order_key() { return getenv( 'ORDER_KEY' ); }
	function get_payment_method() { return getenv( 'ORDER_METHOD' ); }
	function has_status( $list ) { return in_array( getenv( 'ORDER_STATUS' ), $list, true ); }
}
class Webhook { function get_delivery_url() { return getenv( 'HOOK' ); } }
function wc_get_order( $id ) { return new Order(); }
require $argv[1];
fire( 'woocommerce_thankyou', (int) getenv( 'ORDER_ID' ) );
echo "\n=\n";
fire( 'woocommerce_email_before_order_table', new Order(), false, false );
echo "\n=\n";
fire( 'woocommerce_email_before_order_table', new Order(), false, true );
echo "\n=\n";
fire( 'woocommerce_email_before_order_table', new Order(), true, false );
echo "\n=\n";
var_export( fire( 'woocommerce_webhook_deliver_async', true, new Webhook(), 1 ) );
if ( getenv( 'REST' ) ) { define( 'REST_REQUEST', true ); echo "\n"; var_export( fire( 'woocommerce_webhook_deliver_async', true, new Webhook(), 1 ) ); }
`

var href = regexp.MustCompile(`http://[^"\s]*/pay/[^"\s]*`)

// wooLink gives the link that the page's snippet shows to the buyer, on the thank-you page and in e-mails.
func (w *walk) wooLink(t *testing.T, o shopsim.WooOrder) string {
	t.Helper()
	if len(w.blocks["php"]) != 1 {
		t.Fatal("the page has no snippet")
	}
	want := fmt.Sprintf("http://%s/pay/acme/%d?key=%s", w.gateway, o.ID, o.OrderKey)
	if _, err := exec.LookPath("php"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Error(err)
		}
		t.Log("PHP IS NOT INSTALLED: THE SNIPPET WAS NOT RUN (apt-get install php-cli)")
		return want
	}
	snippet, frame := filepath.Join(w.dir, "snippet.php"), filepath.Join(w.dir, "wordpress.php")
	for name, body := range map[string]string{snippet: w.replace.Replace(w.blocks["php"][0]), frame: wordpress} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	show := func(more ...string) []string {
		cmd := exec.CommandContext(t.Context(), "php", "-d", "display_errors=stderr", "-d", "error_reporting=-1", frame, snippet)
		cmd.Env = append(os.Environ(), append([]string{
			fmt.Sprintf("ORDER_ID=%d", o.ID), "ORDER_KEY=" + o.OrderKey, "ORDER_METHOD=" + o.PaymentMethod, "ORDER_STATUS=" + o.Status,
			"HOOK=http://" + w.gateway + "/hooks/acme/woocommerce",
		}, more...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Split(string(out), "\n=\n")
	}
	shown := show("REST=1")
	for i, text := range shown[:3] {
		if got := href.FindString(text); got != want {
			t.Errorf("%d: %q, expected the link %s", i, text, want)
		}
	}
	if len(shown) != 5 || shown[3] != "" || shown[4] != "false\ntrue" {
		t.Errorf("to the shop's own people, and when webhooks are sent: %q", shown[3:])
	}
	for _, other := range []string{"ORDER_STATUS=processing", "ORDER_METHOD=bacs"} {
		if shown := show(other); slices.ContainsFunc(shown[:3], func(s string) bool { return strings.TrimSpace(s) != "" }) {
			t.Errorf("%s: %q", other, shown)
		}
	}
	if shown := show("HOOK=https://other.example/"); shown[4] != "true" {
		t.Errorf("another webhook: %q", shown[4])
	}
	return want
}
