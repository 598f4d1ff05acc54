package shopsim_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/shopsim"
)

func TestABuyerClicksThroughTheShop(t *testing.T) {
	woo := shopsim.NewWoo(shopsim.WooConfig{PricesIncludeTax: true})
	server := httptest.NewServer(&shopsim.Page{Woo: woo, Shop: "demo", Checkout: "http://pay.test/"})
	t.Cleanup(func() { woo.Close(); server.Close() })

	front := send(t, "GET", server.URL+"/", nil, "")
	for _, item := range shopsim.DemoProducts {
		if !strings.Contains(front.body, `value="`+item.SKU+`"`) {
			t.Errorf("%s is not for sale", item.Name)
		}
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	bought := send(t, "POST", server.URL+"/buy", form, "sku=LAN-1")
	o := woo.Orders()[0]
	if bought.code != 303 || o.Total != "249.00" || o.PaymentMethod != "seqr" || o.Status != "pending" {
		t.Fatalf("%+v: %+v", bought, o)
	}
	thanks := send(t, "GET", server.URL+bought.header.Get("Location"), nil, "")
	pay := fmt.Sprintf(`href="http://pay.test/pay/demo/%d?key=%s"`, o.ID, o.OrderKey)
	for _, want := range []string{pay, `http-equiv="refresh"`, "249.00 SEK", `data-status="pending"`} {
		if !strings.Contains(html.UnescapeString(thanks.body), want) {
			t.Errorf("the thank-you page has no %s:\n%s", want, thanks.body)
		}
	}
	if a := send(t, "PUT", fmt.Sprintf("%s/wp-json/wc/v3/orders/%d", server.URL, o.ID), basic("ck_demo", "cs_demo"), `{"set_paid":true,"transaction_id":"ers-7"}`); a.code != 200 {
		t.Error(a)
	}
	thanks = send(t, "GET", server.URL+bought.header.Get("Location"), nil, "")
	if !strings.Contains(thanks.body, `data-status="processing"`) || !strings.Contains(thanks.body, "ers-7") {
		t.Errorf("the page does not show the payment:\n%s", thanks.body)
	}
	if strings.Contains(thanks.body, `id="pay"`) || strings.Contains(thanks.body, "refresh") {
		t.Errorf("a paid order is still to be paid:\n%s", thanks.body)
	}

	for _, c := range []struct {
		method, path, body string
		code               int
	}{
		{"GET", fmt.Sprintf("/thanks/%d", o.ID), "", 404},
		{"GET", fmt.Sprintf("/thanks/%d?key=x", o.ID), "", 404},
		{"GET", "/thanks/9?key=" + o.OrderKey, "", 404},
		{"POST", "/buy", "sku=GOLD", 400},
		{"GET", "/buy", "", 404},
		{"GET", "/style.css", "", 200},
	} {
		if a := send(t, c.method, server.URL+c.path, form, c.body); a.code != c.code {
			t.Errorf("%s %s: %d, expected %d", c.method, c.path, a.code, c.code)
		}
	}
	if len(woo.Orders()) != 1 {
		t.Error("something else made an order")
	}
}
