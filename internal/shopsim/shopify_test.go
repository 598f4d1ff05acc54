package shopsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

// fjell is a shop whose repeats do not wait, with its API at a loopback address.
type fjell struct {
	*shopsim.Shopify
	url string

	mu     sync.Mutex
	pauses []time.Duration
}

func openShopify(t *testing.T, cfg shopsim.ShopifyConfig) *fjell {
	f := &fjell{}
	cfg.Now = newClock().now
	if cfg.BeforeRepeat == nil {
		cfg.BeforeRepeat = func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.pauses = append(f.pauses, d)
			return ctx.Err()
		}
	}
	f.Shopify = shopsim.NewShopify(cfg)
	server := httptest.NewServer(f)
	t.Cleanup(func() { f.Close(); server.Close() })
	f.url = server.URL + "/admin/api/2026-10/graphql.json"
	return f
}

// ask makes a GraphQL call with the app's token.
func (f *fjell) ask(t *testing.T, query string, variables map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return send(t, "POST", f.url, http.Header{"X-Shopify-Access-Token": {"shpat_demo"}}, string(body))
}

func (f *fjell) follow(d *destination, topics ...string) {
	for _, topic := range topics {
		f.Subscribe(topic, d.URL)
	}
}

func topics(list []received) string {
	var out []string
	for _, r := range list {
		out = append(out, r.header.Get("X-Shopify-Topic"))
	}
	return strings.Join(out, ", ")
}

var orderTopics = []string{"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "refunds/create"}

// The totals were worked out by hand.
func TestAShopifyOrder(t *testing.T) {
	for name, c := range map[string]struct {
		inside                       bool
		cart                         shopsim.Cart
		total, outstanding, tax, off string
	}{
		"tax inside":  {true, shopsim.Cart{Items: items("25", "2 × 125"), Shipping: []shopsim.Charge{{"Post", "50", "25"}}}, "300.00", "300.00", "60.00", "0.00"},
		"tax on top":  {false, shopsim.Cart{Items: items("25", "2 × 125")}, "312.50", "312.50", "62.50", "0.00"},
		"discount":    {true, shopsim.Cart{Items: items("25", "1 × 149.95"), Discount: "10"}, "134.95", "134.95", "26.99", "15.00"},
		"gift card":   {true, shopsim.Cart{Items: items("", "1 × 100"), GiftCard: "30"}, "100.00", "70.00", "0.00", "0.00"},
		"tip":         {true, shopsim.Cart{Items: items("", "1 × 100"), Tip: "7.5"}, "107.50", "107.50", "0.00", "0.00"},
		"no decimals": {true, shopsim.Cart{Items: items("10", "1 × 1100"), Currency: "JPY"}, "1100", "1100", "100", "0"},
	} {
		shop := openShopify(t, shopsim.ShopifyConfig{TaxesIncluded: c.inside})
		o := shop.Place(c.cart)
		if o.TotalPrice != c.total || o.TotalOutstanding != c.outstanding || o.TotalTax != c.tax || o.TotalDiscounts != c.off {
			t.Errorf("%s: total %s, outstanding %s, tax %s, discounts %s", name, o.TotalPrice, o.TotalOutstanding, o.TotalTax, o.TotalDiscounts)
		}
		if int64(float64(o.ID)) == o.ID {
			t.Errorf("the id %d survives a float", o.ID)
		}
	}
}

func TestShopifyWebhooksAreSigned(t *testing.T) {
	shop, d := openShopify(t, shopsim.ShopifyConfig{}), newDestination(t)
	shop.follow(d, orderTopics...)
	o := shop.Place(shopsim.Cart{Items: items("25", "1 × 10")})
	shop.Wait()
	got := d.take()
	if topics(got) != "orders/create, orders/updated" || got[0].body != got[1].body {
		t.Fatalf("%+v", got)
	}
	h := got[0].header
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Shopify-Shop-Domain": "fjell.myshopify.com", "X-Shopify-Api-Version": "2026-10",
		"X-Shopify-Triggered-At": "2026-11-26T06:00:00.9Z", "X-Shopify-Hmac-Sha256": sign("shpss_demo", got[0].body),
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %s, expected %s", name, h.Get(name), want)
		}
	}
	if h.Get("X-Shopify-Webhook-Id") == got[1].header.Get("X-Shopify-Webhook-Id") {
		t.Error("two webhooks have one id")
	}
	if !strings.Contains(got[0].body, fmt.Sprintf(`{"id":%d,`, o.ID)) || !strings.Contains(got[0].body, `"rate":0.25`) {
		t.Error(got[0].body)
	}
}

func TestWhatAShopifyOrderSends(t *testing.T) {
	shop, d := openShopify(t, shopsim.ShopifyConfig{}), newDestination(t)
	shop.follow(d, orderTopics...)
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	other := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	shop.Wait()
	d.take()
	for _, step := range []struct {
		name, sent, status string
		do                 func() error
	}{
		{"saved", "orders/updated", "pending", func() error { return shop.Touch(o.ID) }},
		{"edited", "orders/updated", "pending", func() error { return shop.Edit(o.ID, func(o *shopsim.ShopifyOrder) { o.TotalPrice = "10.00" }) }},
		{"paid", "orders/paid, orders/updated", "paid", func() error { return shop.MarkPaid(o.ID) }},
		{"refunded in part", "refunds/create, orders/updated", "partially_refunded", func() error { _, err := shop.Refund(o.ID, "4.00", "", "broken"); return err }},
		{"refunded", "refunds/create, orders/updated", "refunded", func() error { _, err := shop.Refund(o.ID, "6.00", "", ""); return err }},
		{"canceled", "orders/cancelled, orders/updated", "refunded", func() error { return shop.Cancel(o.ID, "customer") }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(step.name, err)
		}
		shop.Wait()
		got := d.take()
		if after, err := shop.Order(o.ID); topics(got) != step.sent || err != nil || after.FinancialStatus != step.status {
			t.Errorf("%s: %s, status %s, %v", step.name, topics(got), after.FinancialStatus, err)
		}
		if step.name == "refunded in part" && !strings.Contains(got[0].body, `"amount":"4.00"`) {
			t.Error(got[0].body)
		}
	}
	if shop.MarkPaid(o.ID) == nil || shop.Cancel(o.ID, "customer") == nil || !errors.Is(shop.Touch(1), shopsim.ErrNoOrder) {
		t.Error("what cannot be done was done")
	}
	shop.Wait()
	if got := d.take(); len(got) != 0 {
		t.Errorf("nothing happened, and was sent: %s", topics(got))
	}
	if err := shop.Cancel(other.ID, "fraud"); err != nil {
		t.Fatal(err)
	}
	if after, _ := shop.Order(other.ID); after.FinancialStatus != "voided" || *after.CancelReason != "fraud" {
		t.Errorf("%+v", after)
	}
}

func TestAFailedShopifyWebhookIsRepeatedUnchanged(t *testing.T) {
	shop, d := openShopify(t, shopsim.ShopifyConfig{}), newDestination(t)
	d.answer(500)
	turn := make(chan struct{})
	shop.follow(d, "orders/create")
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	go func() { defer close(turn); shop.Wait() }()
	if err := shop.Edit(o.ID, func(o *shopsim.ShopifyOrder) { o.Note = "changed" }); err != nil {
		t.Fatal(err)
	}
	<-turn
	got := d.take()
	if len(got) != 9 {
		t.Fatalf("%d attempts", len(got))
	}
	for _, r := range got[1:] {
		if r.body != got[0].body || r.header.Get("X-Shopify-Webhook-Id") != got[0].header.Get("X-Shopify-Webhook-Id") {
			t.Errorf("a repeat differs: %+v", r)
		}
	}
	var all time.Duration
	for _, p := range shop.pauses {
		all += p
	}
	if len(shop.pauses) != 8 || all != 4*time.Hour {
		t.Errorf("%d repeats over %s", len(shop.pauses), all)
	}
	if len(shop.Subscriptions()) != 0 {
		t.Error("the subscription is still there")
	}
}

func TestARepeatThatIsTakenKeepsTheSubscription(t *testing.T) {
	d := newDestination(t)
	shop := openShopify(t, shopsim.ShopifyConfig{BeforeRepeat: func(context.Context, time.Duration) error { d.answer(200); return nil }})
	d.answer(302) // no redirect is followed, and none is a success
	shop.follow(d, "orders/create")
	shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	shop.Wait()
	if got := d.take(); len(got) != 2 || len(shop.Subscriptions()) != 1 {
		t.Errorf("%d attempts, %v", len(got), shop.Subscriptions())
	}
}

func TestADestinationThatIsSlowIsAFailure(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); server.Close() })
	shop := openShopify(t, shopsim.ShopifyConfig{DeliveryTimeout: time.Millisecond})
	shop.Subscribe("orders/create", server.URL)
	shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	shop.Wait()
	if log := shop.Deliveries(); len(log) != 9 || log[8].Err == nil {
		t.Errorf("%+v", log)
	}
}

func TestShopifyReordersAndDuplicates(t *testing.T) {
	shop, d := openShopify(t, shopsim.ShopifyConfig{UpdatedFirst: true, DeliveredTwice: true}), newDestination(t)
	shop.follow(d, "orders/create", "orders/updated")
	shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	shop.Wait()
	got := d.take()
	if topics(got) != "orders/updated, orders/updated, orders/create, orders/create" {
		t.Fatal(topics(got))
	}
	if got[0].header.Get("X-Shopify-Webhook-Id") != got[1].header.Get("X-Shopify-Webhook-Id") {
		t.Error("a duplicate has another id")
	}
}

func TestCloseEndsTheRepeats(t *testing.T) {
	d := newDestination(t)
	d.answer(500)
	shop := shopsim.NewShopify(shopsim.ShopifyConfig{})
	shop.Subscribe("orders/create", d.URL)
	shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	shop.Close() // would wait for hours
}
