package connect

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// TestWalkThroughOfShopify follows docs/connect/shopify.md: a buyer's order is paid by the link of the page's e-mail and is marked as
// paid in the shop, a refund in the shop pays back, and a cancellation withdraws the invoice.
func TestWalkThroughOfShopify(t *testing.T) {
	shop := shopsim.NewShopify(shopsim.ShopifyConfig{Secret: "shpss_0123456789abcdef", ClientID: "0123456789abcdef0123456789abcdef"})
	t.Cleanup(shop.Close)
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	w := begin(t, "shopify.md", "https://fjell.myshopify.com", server.URL, "      domain: ", "      url: "+server.URL+"\n      domain: ", "https://fjell.example", "http://127.0.0.1")
	w.start()
	w.run(w.blocks["sh"][1])
	if n := len(shop.Subscriptions()); n != 4 {
		t.Fatalf("the page's commands make %d webhooks", n)
	}
	w.doctor("fjell")

	place := func() (shopsim.ShopifyOrder, string) {
		o := shop.Place(shopsim.Cart{Items: shopsim.DemoProducts[:2]})
		w.awaitEvent("fjell", fmt.Sprint(o.ID), events.EventIssued)
		return o, fmt.Sprint(o.ID)
	}
	o, id := place()
	w.pay(w.shopifyLink(t, o), "fjell", id, o.TotalPrice)
	w.awaitTold("fjell", "shopify", id, events.EventPaid)
	if o, err := shop.Order(o.ID); err != nil || o.FinancialStatus != "paid" {
		t.Errorf("paid, and the shop has %s, %v", o.FinancialStatus, err)
	}
	w.look(id)

	refund, err := shop.Refund(o.ID, "10.00", "", "")
	if err != nil {
		t.Fatal(err)
	}
	w.awaitEvent("fjell", id, events.EventRefunded)
	w.awaitTold("fjell", "shopify", id, events.EventRefunded)
	if o, err := shop.Order(o.ID); err != nil || !strings.Contains(o.Tags, fmt.Sprintf("SEQR refund %d paid", refund)) {
		t.Errorf("the shop has the tags %q, %v", o.Tags, err)
	}

	o, id = place()
	if err := shop.Cancel(o.ID, "customer"); err != nil {
		t.Fatal(err)
	}
	w.awaitEvent("fjell", id, events.EventCanceled)
}

var (
	assignToken = regexp.MustCompile(`{% assign token = order_status_url (.*?) %}`)
	filter      = regexp.MustCompile(`\| (split|first|last)(?:: "([^"]*)")?`)
)

// shopifyLink gives the link that the page's lines put into an e-mail. It knows as much of Liquid as they use.
func (w *walk) shopifyLink(t *testing.T, o shopsim.ShopifyOrder) string {
	t.Helper()
	lines := w.replace.Replace(strings.Join(w.blocks["liquid"], ""))
	tokenOf := func(url string) string {
		values := []string{url}
		for _, f := range filter.FindAllStringSubmatch(assignToken.FindString(lines), -1) {
			switch f[1] {
			case "split":
				values = strings.Split(values[0], f[2])
			case "first":
				values = values[:1]
			case "last":
				values = values[len(values)-1:]
			}
		}
		return values[0]
	}
	for _, url := range []string{o.OrderStatusURL, "https://fjell.example/58100547/orders/" + o.Token + "/authenticate?key=0a1b", "https://fjell.example/1/orders/" + o.Token + "?key=0a1b"} {
		if got := tokenOf(url); got != o.Token {
			t.Errorf("%s: the token is %q, expected %q", url, got, o.Token)
		}
	}
	_, link, _ := strings.Cut(lines, `href="`)
	link, _, _ = strings.Cut(link, `"`)
	return strings.NewReplacer("{{ id }}", fmt.Sprint(o.ID), "{{ token }}", tokenOf(o.OrderStatusURL)).Replace(link)
}
