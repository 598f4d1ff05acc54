package gateway_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/gateway"
)

const (
	wooSecret     = "canary-woo-secret"
	shopifySecret = "canary-shopify-secret"
	eventsSecret  = "whsec_Y2FuYXJ5LWV2ZW50cy1zZWNyZXQtb2YtdGhlLXNob3A="
)

// door is a gateway that runs, with the three systems connected for the shop acme.
type door struct {
	*rig.Rig
	*httptest.Server
	file connections.File
	stop func() // ends the gateway's worker
}

func secretFile(t *testing.T, secret string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func open(t *testing.T, change ...func(*gateway.Config)) *door {
	t.Helper()
	r := rig.New(t, sandbox.Config{})
	d := &door{Rig: r, file: connections.File{Connections: map[string]connections.Connection{rig.Shop: {
		WooCommerce: &connections.WooCommerce{URL: "https://shop.example", PaymentMethods: []string{"seqr"},
			WebhookSecret: []string{secretFile(t, "new"), secretFile(t, wooSecret)}, ConsumerKey: []string{secretFile(t, "ck")}, ConsumerSecret: []string{secretFile(t, "cs")}},
		Shopify: &connections.Shopify{Domain: "acme.myshopify.com", Gateways: []string{"SEQR"}, APIVersion: "2026-10",
			WebhookSecret: []string{secretFile(t, shopifySecret)}, AccessToken: []string{secretFile(t, "at")}},
		Events: &connections.Events{Secrets: []string{secretFile(t, eventsSecret)}},
	}}}}
	d.Server = httptest.NewServer(d.start(change...))
	t.Cleanup(d.Server.Close)
	return d
}

// start runs a gateway, which ends with the test.
func (d *door) start(change ...func(*gateway.Config)) *gateway.Gateway {
	d.T.Helper()
	cfg := gateway.Config{Bus: d.Bus, Connections: d.file, Log: d.Log}
	for _, c := range change {
		c(&cfg)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		d.T.Fatal(err)
	}
	d.stop = d.Run(g)
	return g
}

func sign(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// post sends a request and gives the answer's status and text.
func (d *door) post(path, body string, header ...string) (int, string) {
	d.T.Helper()
	req, err := http.NewRequestWithContext(d.T.Context(), http.MethodPost, d.URL+path, strings.NewReader(body))
	if err != nil {
		d.T.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.T.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.T.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (d *door) woo(topic, body string) (int, string) {
	d.T.Helper()
	return d.post("/hooks/acme/woocommerce", body, "Content-Type", "application/json", "X-WC-Webhook-Topic", topic, "X-WC-Webhook-Signature", sign(wooSecret, body))
}

func (d *door) shopify(topic, body string) (int, string) {
	d.T.Helper()
	return d.post("/hooks/acme/shopify", body, "Content-Type", "application/json", "X-Shopify-Topic", topic,
		"X-Shopify-Shop-Domain", "acme.myshopify.com", "X-Shopify-Hmac-Sha256", sign(shopifySecret, body))
}

func (d *door) event(contentType, body string) (int, string) {
	d.T.Helper()
	at := strconv.FormatInt(time.Now().Unix(), 10)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(eventsSecret, "whsec_"))
	if err != nil {
		d.T.Fatal(err)
	}
	return d.post("/hooks/acme/events", body, "Content-Type", contentType, "Webhook-Id", "m1", "Webhook-Timestamp", at,
		"Webhook-Signature", "v1,"+sign(string(key), "m1."+at+"."+body))
}

// orders gives the events of ORDERS as their subjects.
func (d *door) orders() (subjects []string) {
	d.T.Helper()
	d.scan(events.OrdersStream, func(e bus.Entry) { subjects = append(subjects, e.Subject) })
	return subjects
}

func (d *door) scan(stream string, take func(bus.Entry)) {
	d.T.Helper()
	if _, err := d.Bus.Scan(d.T.Context(), bus.Scan{Stream: stream}, func(e bus.Entry) error { take(e); return nil }); err != nil {
		d.T.Fatal(err)
	}
}

// expect fails the test unless the answer is as expected.
func expect(t *testing.T, what string, code int, text string, wantCode int, want string) {
	t.Helper()
	if code != wantCode || !strings.Contains(text, want) {
		t.Errorf("%s: %d %q; want %d %q", what, code, text, wantCode, want)
	}
}

func wooOrder(id int, status, total string) string {
	return fmt.Sprintf(`{"id":%d,"number":"%[1]d","order_key":"wc_order_canary_key","status":%q,"currency":"SEK","total":%q,"payment_method":"seqr","needs_payment":true,
		"billing":{"first_name":"Canary Buyer","email":"canary@buyer.example","phone":"+4670canary"},"customer_note":"canary note",
		"line_items":[{"name":"Tea","quantity":1,"total":"80.00","total_tax":"20.00","taxes":[{"id":1,"total":"20"}],"meta_data":[{"key":"engraving","value":"canary engraving"}]}],
		"tax_lines":[{"rate_id":1,"rate_percent":25}],"shipping_lines":[],"fee_lines":[],"refunds":[]}`, id, status, total)
}

func TestAnOrderOfAShopIsPublishedOnce(t *testing.T) {
	d := open(t)
	order := wooOrder(1001, "pending", "100.00")
	code, text := d.woo("order.created", order)
	expect(t, "a new order", code, text, http.StatusOK, "published: placed")
	code, text = d.woo("order.updated", order)
	expect(t, "the same again", code, text, http.StatusOK, "nothing new")
	code, text = d.woo("order.updated", wooOrder(1001, "cancelled", "100.00"))
	expect(t, "canceled", code, text, http.StatusOK, "published: canceled")
	code, text = d.woo("order.updated", wooOrder(1001, "cancelled", "100.00"))
	expect(t, "canceled again", code, text, http.StatusOK, "nothing new")
	code, text = d.woo("order.updated", order)
	expect(t, "placed after it was canceled", code, text, http.StatusOK, "published: placed")
	code, text = d.woo("order.created", wooOrder(1002, "checkout-draft", "100.00"))
	expect(t, "a draft", code, text, http.StatusOK, "nothing to do: ")
	if got, want := strings.Join(d.orders(), " "), "orders.acme.1001.placed orders.acme.1001.canceled orders.acme.1001.placed"; got != want {
		t.Errorf("ORDERS has %s; want %s", got, want)
	}
	d.noCanary()
}

// noCanary fails the test if what is kept has a secret, or anything of the buyer.
func (d *door) noCanary() {
	d.T.Helper()
	for _, stream := range []string{events.OrdersStream, events.HooksStream, events.ParkedStream} {
		d.scan(stream, func(e bus.Entry) {
			if strings.Contains(strings.ToLower(string(e.Body)), "canary") {
				d.T.Errorf("%s has a secret or personal data: %s", e.Subject, e.Body)
			}
		})
	}
}

func TestEveryMistakeHasItsAnswer(t *testing.T) {
	reg := prometheus.NewRegistry()
	d := open(t, func(c *gateway.Config) { c.Metrics = reg })
	order := wooOrder(1001, "pending", "100.00")
	const path = "/hooks/acme/woocommerce"
	for _, c := range []struct {
		name, path, body string
		header           []string
		code             int
		text             string
	}{
		{"no signature", path, order, []string{"X-WC-Webhook-Topic", "order.created"}, http.StatusUnauthorized, "signature"},
		{"another secret", path, order, []string{"X-WC-Webhook-Topic", "order.created", "X-WC-Webhook-Signature", sign("x", order)}, http.StatusUnauthorized, "signature"},
		{"another body", path, order + " ", []string{"X-WC-Webhook-Topic", "order.created", "X-WC-Webhook-Signature", sign(wooSecret, order)}, http.StatusUnauthorized, "signature"},
		{"another shop", "/hooks/beta/woocommerce", order, nil, http.StatusNotFound, "no such shop"},
		{"another system", "/hooks/acme/magento", order, nil, http.StatusNotFound, "no such shop"},
		{"the ping of a new webhook", path, "webhook_id=7", []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusOK, "nothing to do"},
		{"a body that is too large", path, strings.Repeat("x", 2<<20+1), nil, http.StatusRequestEntityTooLarge, "at most 2097152 bytes"},
		{"another shop's domain", "/hooks/acme/shopify", "{}", []string{"X-Shopify-Topic", "orders/create", "X-Shopify-Shop-Domain", "x.myshopify.com", "X-Shopify-Hmac-Sha256", sign(shopifySecret, "{}")}, http.StatusUnauthorized, "X-Shopify-Shop-Domain"},
	} {
		code, text := d.post(c.path, c.body, c.header...)
		expect(t, c.name, code, text, c.code, c.text)
	}
	code, text := d.event("text/plain", "{}")
	expect(t, "an unknown content type", code, text, http.StatusUnsupportedMediaType, "")
	if got := d.orders(); len(got) > 0 {
		t.Errorf("published %v", got)
	}
	if got, want := counted(t, reg), (map[string]float64{"unsigned": 4, "unknown": 2, "nothing": 1, "unreadable": 2}); !maps.Equal(got, want) {
		t.Errorf("counted %v; want %v", got, want)
	}
	resp, err := http.Get(d.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", resp.StatusCode)
	}
}

// counted gives how many requests ended how.
func counted(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if n := m.GetCounter().GetValue(); f.GetName() == "seqrflow_hooks_total" && l.GetName() == "outcome" && n > 0 {
					counts[l.GetValue()] += n
				}
			}
		}
	}
	return counts
}

func TestWhatCannotBeTranslatedIsParkedOnceWithoutPersonalData(t *testing.T) {
	d := open(t)
	body := wooOrder(1001, "pending", "123.00")
	for range 2 {
		code, text := d.woo("order.updated", body)
		expect(t, "rows that do not sum to the total", code, text, http.StatusOK, "kept for a person, not carried out: ")
		d.First("parked.gateway.acme.1001")
	}
	code, text := d.woo("order.updated", "{")
	expect(t, "no JSON", code, text, http.StatusOK, "kept for a person")
	d.First("parked.gateway.acme.unknown")
	d.Idle()
	if n := d.Parked(); n != 2 {
		t.Errorf("%d parked; want 2", n)
	}
	p, open, err := d.Bus.LastParked(t.Context(), "gateway", "acme", "1001")
	if err != nil || !open || !strings.Contains(p.Reason, "123.00") || !strings.Contains(p.Reason, "100.00") {
		t.Errorf("parked with %q, %v, %v; want both sums", p.Reason, open, err)
	}
	if got := d.orders(); len(got) > 0 {
		t.Errorf("published %v", got)
	}
	d.noCanary()
}

// A refused request that is larger than the broker takes, as it is kept, is parked as well: WooCommerce disables a webhook that is answered
// with errors.
func TestWhatIsTooLargeToKeepIsParked(t *testing.T) {
	d := open(t)
	body := fmt.Sprintf(`{"id":1001,"payment_method":"seqr","line_items":[{"name":%q}]}`, strings.Repeat("<", natsd.MaxPayload/3))
	code, text := d.woo("order.updated", body)
	for code == http.StatusServiceUnavailable { // on a slow machine the broker may not have stored so much in time: it is sent again
		code, text = d.woo("order.updated", body)
	}
	expect(t, "an order that is not whole", code, text, http.StatusOK, "kept for a person, not carried out: status: missing")
	if d.First("parked.gateway.acme.1001"); d.Parked() != 1 {
		t.Errorf("%d parked; want 1", d.Parked())
	}
}

func TestAReplayIsTranslatedWithTodaysSettings(t *testing.T) {
	d := open(t)
	body := `{"id":9007199254740993,"name":"#1001","token":"canary","currency":"SEK","presentment_currency":"EUR","taxes_included":true,"financial_status":"pending","payment_gateway_names":["SEQR"],
		"total_price":"100.00","current_total_price":"100.00","total_outstanding":"100.00",
		"total_price_set":{"shop_money":{"amount":"100.00","currency_code":"SEK"},"presentment_money":{"amount":"9.00","currency_code":"EUR"}},
		"current_total_price_set":{"shop_money":{"amount":"100.00","currency_code":"SEK"},"presentment_money":{"amount":"9.00","currency_code":"EUR"}},
		"line_items":[{"title":"Tea","quantity":1,"current_quantity":1,"price":"100.00","price_set":{"shop_money":{"amount":"100.00","currency_code":"SEK"},"presentment_money":{"amount":"9.00","currency_code":"EUR"}},"tax_lines":[],"discount_allocations":[]}],"shipping_lines":[]}`
	code, text := d.shopify("orders/create", body)
	expect(t, "an order in two currencies", code, text, http.StatusOK, "kept for a person")
	d.First("parked.gateway.acme.9007199254740993")

	d.stop()
	c := d.file.Connections[rig.Shop]
	changed := *c.Shopify
	changed.Presentment = true
	c.Shopify = &changed
	d.file.Connections[rig.Shop] = c
	d.start()
	open, err := d.Bus.OpenParked(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("%v, %v", open, err)
	}
	if err := d.Bus.Replay(t.Context(), open[0]); err != nil {
		t.Fatal(err)
	}
	d.First("orders.acme.9007199254740993.placed")
}

// While the broker is gone a shop's system is told so within Shopify's 5 s, and nothing is said to be done.
func TestNothingIsAcceptedThatTheBrokerHasNot(t *testing.T) {
	d := open(t)
	d.NATS.Close()
	code, text := d.woo("order.created", wooOrder(1001, "pending", "100.00"))
	expect(t, "an order while the broker is gone", code, text, http.StatusServiceUnavailable, "send it again")
}

func TestOneShopsRequestsAreLimited(t *testing.T) {
	d := open(t, func(c *gateway.Config) { c.PerMinute = 3 })
	post := func() int { code, _ := d.woo("order.created", wooOrder(1001, "pending", "100.00")); return code }
	for range 2 {
		if code, _ := d.post("/hooks/acme/woocommerce", "x"); code != http.StatusUnauthorized {
			t.Errorf("an unsigned request: %d", code)
		}
	}
	if code := post(); code != http.StatusOK {
		t.Errorf("the third request of the address: %d", code)
	}
	if code := post(); code != http.StatusTooManyRequests {
		t.Errorf("the fourth request of the address: %d", code)
	}
}
