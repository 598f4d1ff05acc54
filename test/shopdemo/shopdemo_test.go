package shopdemo

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var (
	number    = regexp.MustCompile(`Order (\d+)`)
	reference = regexp.MustCompile(`^(http://[^/]+)/R(\d+)$`)
)

// buys clicks from the shop to the paid order, and gives the thank-you page's and the checkout page's address, and the order's number.
func (r *running) buys(b *buyer) (thanks, checkout, order string) {
	t := r.t
	t.Helper()
	front := b.open(r.shop + "/")
	sku := regexp.MustCompile(`name="sku" value="([^"]+)"`).FindStringSubmatch(front.text)
	if sku == nil {
		t.Fatalf("nothing is for sale:\n%s", front.text)
	}
	bought := b.send(http.MethodPost, r.shop+"/buy", "sku="+sku[1])
	found := number.FindStringSubmatch(bought.text)
	if found == nil || !strings.Contains(bought.text, `data-status="pending"`) {
		t.Fatalf("after the purchase: %d %s\n%s", bought.code, bought.address, bought.text)
	}
	thanks, order = bought.address, found[1]
	checkout = bought.link(t, "pay")
	back := b.pays(checkout).link(t, "back")
	if back != thanks {
		t.Errorf("the way back to the shop is %s, expected %s", back, thanks)
	}
	paid := b.shows(back, `data-status="processing"`)
	if !regexp.MustCompile(`payment <code>\S+</code>`).MatchString(paid.text) || strings.Contains(paid.text, `id="pay"`) {
		t.Errorf("the shop's page of a paid order:\n%s", paid.text)
	}
	return thanks, checkout, order
}

// pays goes from the checkout page to the wallet, pays there, and gives the checkout page afterwards.
func (b *buyer) pays(checkout string) page {
	b.t.Helper()
	wallet := b.shows(checkout, `data-state="scan"`).link(b.t, "wallet")
	at := reference.FindStringSubmatch(wallet)
	if at == nil {
		b.t.Fatalf("the link to the wallet is %q", wallet)
	}
	if p := b.open(wallet); p.code != http.StatusOK || !strings.Contains(p.text, `id="pay"`) {
		b.t.Fatalf("the wallet's page: %d %s", p.code, p.text)
	}
	if p := b.send(http.MethodPost, at[1]+"/wallet/"+at[2]+"/pay", ""); p.code != http.StatusOK {
		b.t.Fatalf("the wallet does not pay: %d %s", p.code, p.text)
	}
	return b.shows(checkout, `data-state="paid"`)
}

// A newcomer starts everything, pays the first order, and buys in the shop. After a restart the shop has forgotten its orders, everything
// else goes on, and what is bought then is another order.
func TestFromTheShopToThePaidOrderAndAgainAfterARestart(t *testing.T) {
	data, b := t.TempDir(), newBuyer(t)
	first := start(t, data)
	if first.page == "" {
		t.Fatal("no first order on a fresh folder")
	}
	b.pays(first.page)
	thanks, checkout, order := first.buys(b)
	first.stop()

	second := start(t, data)
	if second.page != "" {
		t.Errorf("another first order: %s", second.page)
	}
	sameOrder := strings.Replace(thanks, first.shop, second.shop, 1)
	if p := b.open(sameOrder); p.code != http.StatusNotFound {
		t.Errorf("the shop still has its order: %d", p.code)
	}
	gateway := func(checkout string) string { return checkout[:strings.Index(checkout, "/pay/")] }
	_, again, next := second.buys(b)
	if next == order {
		t.Errorf("order %s was sold twice", order)
	}
	for what, page := range map[string]string{"the shop's": checkout, "the first": first.page} {
		old := strings.Replace(page, gateway(checkout), gateway(again), 1)
		if p := b.open(old); !strings.Contains(p.text, `data-state="paid"`) {
			t.Errorf("the checkout page of %s order after a restart: %d %s", what, p.code, p.text)
		}
	}
}
