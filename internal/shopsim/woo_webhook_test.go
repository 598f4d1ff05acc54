package shopsim_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// told gives topic and status of what a destination has got.
func told(t *testing.T, list []received) string {
	t.Helper()
	var out []string
	for _, r := range list {
		var o struct{ Status string }
		if err := json.Unmarshal([]byte(r.body), &o); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(r.header.Get("X-WC-Webhook-Topic")+" "+o.Status))
	}
	return strings.Join(out, ", ")
}

// follow makes webhooks of all topics for a destination, whose pings it takes away.
func follow(t *testing.T, shop wooShop, d *destination) {
	t.Helper()
	for _, topic := range []string{"order.created", "order.updated", "order.deleted", "order.restored"} {
		if _, err := shop.AddWebhook(topic, d.URL, "s&amp;cret"); err != nil {
			t.Fatal(err)
		}
	}
	d.take()
}

func TestAWebhookStartsWithAnUnsignedPing(t *testing.T) {
	shop, d := openWoo(t, shopsim.WooConfig{}), newDestination(t)
	a := shop.call(t, "POST", "webhooks", `{"topic":"order.created","delivery_url":"`+d.URL+`","secret":"s"}`)
	if a.code != 201 || a.value(t, "status") != "active" || strings.Contains(a.body, "secret") {
		t.Error(a)
	}
	got := d.take()
	if len(got) != 1 || got[0].body != "webhook_id=1" || got[0].header.Get("Content-Type") != "application/x-www-form-urlencoded" || got[0].header.Get("X-WC-Webhook-Signature") != "" {
		t.Errorf("%+v", got)
	}

	d.answer(202)
	h, err := shop.AddWebhook("order.updated", d.URL, "s")
	if err == nil {
		t.Error("a ping is good only with 200")
	}
	d.answer(200)
	d.take()
	shop.call(t, "PUT", fmt.Sprintf("webhooks/%d", h.ID), `{"status":"active"}`)
	shop.call(t, "PUT", fmt.Sprintf("webhooks/%d", h.ID), `{"status":"active"}`)
	if got := d.take(); len(got) != 1 {
		t.Errorf("the ping is sent again at an update until it was good: %v", got)
	}
}

func TestADeliveryIsSigned(t *testing.T) {
	shop, d := openWoo(t, shopsim.WooConfig{Home: "https://shop.test/"}), newDestination(t)
	follow(t, shop, d)
	first := shop.Place(shopsim.Cart{Items: items("25", "1 × 10")})
	shop.Place(shopsim.Cart{Items: items("25", "1 × 20")})
	shop.Wait()
	got := d.take()
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-WC-Webhook-Source": "https://shop.test/", "X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Resource": "order",
		"X-WC-Webhook-Event": "created", "X-WC-Webhook-Id": "1", "X-WC-Webhook-Signature": sign("s&cret", got[0].body),
	} {
		if v := got[0].header.Get(name); v != want {
			t.Errorf("%s: %s, expected %s", name, v, want)
		}
	}
	a := shop.call(t, "GET", fmt.Sprintf("orders/%d", first.ID), "")
	if strings.TrimSpace(a.body) != got[0].body {
		t.Errorf("the payload is not the order of the API:\n%s\n%s", got[0].body, a.body)
	}
	id := got[0].header.Get("X-WC-Webhook-Delivery-Id")
	if id == "" || id != got[1].header.Get("X-WC-Webhook-Delivery-Id") {
		t.Error("two deliveries of one second must collide")
	}
	shop.clock.advance(time.Second)
	shop.Place(shopsim.Cart{Items: items("", "1 × 1")})
	shop.Wait()
	if got := d.take(); got[0].header.Get("X-WC-Webhook-Delivery-Id") == id {
		t.Error("a delivery of another second collides")
	}
}

func TestWhatAnOrderSends(t *testing.T) {
	shop, d := openWoo(t, shopsim.WooConfig{}), newDestination(t)
	follow(t, shop, d)
	var o shopsim.WooOrder
	for _, step := range []struct {
		name string
		do   func() error
		sent string
	}{
		{"at the checkout", func() error { o = shop.Place(shopsim.Cart{Items: items("", "1 × 10"), Draft: true}); return nil }, "order.created checkout-draft"},
		{"ordered", func() error { return shop.SetStatus(o.ID, "pending") }, "order.updated pending"},
		{"saved", func() error { return shop.Touch(o.ID) }, "order.updated pending"},
		{"edited", func() error { return shop.Edit(o.ID, func(o *shopsim.WooOrder) { o.Total = "12.00" }) }, "order.updated pending"},
		{"paid by the API", func() error { shop.call(t, "PUT", fmt.Sprintf("orders/%d", o.ID), `{"set_paid":true}`); return nil }, "order.updated processing"},
		{"saved by the API", func() error { shop.call(t, "PUT", fmt.Sprintf("orders/%d", o.ID), `{}`); return nil }, "order.updated processing"},
		{"refunded in part", func() error { _, err := shop.Refund(o.ID, "2", ""); return err }, "order.updated processing"},
		{"refunded", func() error { _, err := shop.Refund(o.ID, "10", ""); return err }, "order.updated refunded"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		shop.Wait()
		if got := told(t, d.take()); got != step.sent {
			t.Errorf("%s: %s, expected %s", step.name, got, step.sent)
		}
	}
	if err := shop.Delete(o.ID); err != nil {
		t.Fatal(err)
	}
	shop.Wait()
	if got := d.take(); len(got) != 1 || got[0].body != fmt.Sprintf(`{"id":%d}`, o.ID) {
		t.Errorf("%+v", got)
	}
	if a := shop.call(t, "GET", fmt.Sprintf("orders/%d", o.ID), ""); a.code != 200 || a.value(t, "status") != "trash" {
		t.Error(a)
	}
	for query, want := range map[string]string{"": "0", "?status=any": "0", "?status=trash": "1"} {
		if a := shop.call(t, "GET", "orders"+query, ""); a.header.Get("X-WP-Total") != want || len(shop.Orders()) > 0 {
			t.Errorf("%q: %+v", query, a)
		}
	}
	if err := shop.Restore(o.ID); err != nil {
		t.Fatal(err)
	}
	shop.Wait()
	if got := told(t, d.take()); got != "order.restored refunded" || shop.Restore(o.ID) == nil {
		t.Error(got)
	}
}

// PHP escapes slashes and what is not ASCII, in webhooks and in answers of the API; the signature is of the escaped body.
func TestJSONIsEscapedAsByPHP(t *testing.T) {
	shop, d := openWoo(t, shopsim.WooConfig{}), newDestination(t)
	follow(t, shop, d)
	const name = `Å/ö & <b> 😀`
	const escaped = `"name":"\u00c5\/\u00f6 & <b> \ud83d\ude00"`
	o := shop.Place(shopsim.Cart{Items: []shopsim.Item{{Name: name, Price: "10"}}})
	shop.Wait()
	if got := d.take(); len(got) != 1 || !strings.Contains(got[0].body, escaped) {
		t.Errorf("%+v", got)
	}
	a := shop.call(t, "GET", fmt.Sprintf("orders/%d", o.ID), "")
	var read shopsim.WooOrder
	if err := json.Unmarshal([]byte(a.body), &read); err != nil || !strings.Contains(a.body, escaped) || read.LineItems[0].Name != name {
		t.Error(err, a)
	}
}

func TestWebhooksAreListedInPages(t *testing.T) {
	shop, d := openWoo(t, shopsim.WooConfig{}), newDestination(t)
	for range 12 {
		if _, err := shop.AddWebhook("order.created", d.URL, ""); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"": 10, "?page=2": 2, "?per_page=100": 12, "?per_page=100&page=2": 0} {
		var page []shopsim.WooWebhook
		a := shop.call(t, "GET", "webhooks"+query, "")
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page) != want || a.header.Get("X-WP-Total") != "12" {
			t.Errorf("%q: %d of %d, %v", query, len(page), want, a.header)
		}
	}
	if a := shop.call(t, "GET", "webhooks?per_page=101", ""); a.code != 400 {
		t.Error(a)
	}
}

func TestAFailedDeliveryIsNotRepeatedAndDisablesTheWebhook(t *testing.T) {
	shop, d := openWoo(t, shopsim.WooConfig{}), newDestination(t)
	follow(t, shop, d)
	status := func() string { return shop.Webhooks()[1].Status }
	o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
	update := func(code, times int) int {
		d.answer(code)
		for range times {
			if err := shop.Touch(o.ID); err != nil {
				t.Fatal(err)
			}
		}
		shop.Wait()
		return len(d.take())
	}
	shop.Wait()
	d.take()
	if got := update(500, 6); got != 6 || status() != "active" {
		t.Errorf("%d came, %s", got, status())
	}
	if got := update(302, 1); got != 1 || status() != "active" {
		t.Errorf("a redirect is a success that is not followed: %d came, %s", got, status())
	}
	update(303, 6)
	if got := update(410, 1); got != 1 || status() != "disabled" {
		t.Errorf("the 7th failure in a row: %d came, %s", got, status())
	}
	if got := update(200, 1); got != 0 {
		t.Error("a disabled webhook sends")
	}
	shop.call(t, "PUT", "webhooks/2", `{"status":"active"}`)
	if update(500, 1); status() != "disabled" {
		t.Error("active again, its failures still count")
	}
	shop.call(t, "PUT", "webhooks/2", `{"status":"active"}`)
	update(200, 1)
	if update(500, 1); status() != "active" {
		t.Error("a success clears the count")
	}
	if a := shop.call(t, "GET", "webhooks?status=active", ""); a.header.Get("X-WP-Total") != "4" {
		t.Error(a)
	}

	d.Close()
	if err := shop.Touch(o.ID); err != nil {
		t.Fatal(err)
	}
	shop.Wait()
	log := shop.Deliveries()
	if last := log[len(log)-1]; last.Err == nil || last.Code != 0 {
		t.Errorf("%+v", last)
	}
}
