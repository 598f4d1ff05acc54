package shopsim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// carts are orders that both shops sell.
var carts = map[string]shopsim.Cart{
	"one row":   {Items: items("25", "1 × 149.50")},
	"rates":     {Items: append(items("25", "3 × 10"), items("6", "7 × 9.99")...), Shipping: []shopsim.Charge{{"Post", "49", "25"}}},
	"discount":  {Items: items("25", "1 × 149.95", "3 × 33.33"), Discount: "10"},
	"gift card": {Items: items("25", "2 × 100"), GiftCard: "30"},
	"rounding":  {Items: items("15", "6 × 99.48", "6 × 108.68")},
	"many":      {Items: items("12", strings.Split(strings.Repeat("1 × 3.33;", 40)+"1 × 1", ";")...)},
}

// checkPlaced says what is wrong with the translation of a signed webhook of an unpaid order.
func checkPlaced(in commerce.Inbound, r received, order, total string) error {
	request := commerce.Request{Shop: "acme", Header: r.header, Body: []byte(r.body), At: newClock().now()}
	if err := in.Verify(request); err != nil {
		return err
	}
	got, err := in.Translate(request)
	if err != nil {
		return err
	}
	if len(got.Events) != 1 || got.Events[0].Name != events.Placed {
		return fmt.Errorf("translated as %+v", got)
	}
	data, err := json.Marshal(got.Events[0].Data)
	if err != nil {
		return err
	}
	if strings.Contains(string(data), "Canary") || strings.Contains(string(data), "example.invalid") {
		return fmt.Errorf("personal data in the event: %s", data)
	}
	o, ok := got.Events[0].Data.(events.Order)
	if !ok || o.OrderID != order || o.Total.In(o.Currency) != total {
		return fmt.Errorf("order %s with total %s, expected %s with %s", o.OrderID, o.Total, order, total)
	}
	return nil
}

// TestTheTranslationsAgreeWithTheShops: the stand-ins and pkg/commerce have no code in common, so a mistake of one shows here.
func TestTheTranslationsAgreeWithTheShops(t *testing.T) {
	for name, cart := range carts {
		for _, inside := range []bool{true, false} {
			d := newDestination(t)
			woo := openWoo(t, shopsim.WooConfig{PricesIncludeTax: inside})
			follow(t, woo, d)
			w := woo.Place(cart)
			woo.Wait()
			in := woocommerce.Inbound{Secrets: []string{"s&cret"}, PaymentMethods: []string{"seqr"}}
			err := checkPlaced(in, d.take()[0], fmt.Sprint(w.ID), w.Total)
			refusal := (*commerce.Refusal)(nil)
			if cart.GiftCard != "" && errors.As(err, &refusal) && refusal.Field == "total" {
				err = nil // no row says why the total is lower: a person has to decide
			}
			if err != nil {
				t.Errorf("WooCommerce, %s, tax inside %v: %v", name, inside, err)
			}

			fjell := openShopify(t, shopsim.ShopifyConfig{TaxesIncluded: inside})
			fjell.follow(d, "orders/create")
			s := fjell.Place(cart)
			fjell.Wait()
			in2 := shopify.Inbound{Domain: "fjell.myshopify.com", Gateways: []string{"SEQR"}, Secrets: []string{"shpss_demo"}}
			if err := checkPlaced(in2, d.take()[0], fmt.Sprint(s.ID), s.TotalOutstanding); err != nil {
				t.Errorf("Shopify, %s, tax inside %v: %v", name, inside, err)
			}
		}
	}
}

// TestShopifyIsToldOnce: the same notices twice, and once more after an answer that was lost.
func TestShopifyIsToldOnce(t *testing.T) {
	shop := openShopify(t, shopsim.ShopifyConfig{})
	out, err := shopify.NewOutbound(shopify.OutboundConfig{
		Domain: "fjell.myshopify.com", URL: strings.TrimSuffix(shop.url, "/admin/api/2026-10/graphql.json"), APIVersion: "2026-10", Token: "shpat_demo", HTTP: http.DefaultClient,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, effects := range map[events.Name]string{events.EventPaid: "paid 10.00 by api", events.EventCanceled: "canceled other by api"} {
		o := shop.Place(shopsim.Cart{Items: items("", "1 × 10")})
		total, err := events.ParseAmount(o.TotalOutstanding)
		if err != nil {
			t.Fatal(err)
		}
		n := commerce.Notice{ID: "x", Name: name}
		n.Invoice.OrderID, n.Invoice.Currency, n.Invoice.Total = fmt.Sprint(o.ID), "NOK", total
		shop.SetFaults(
			shopsim.Fault{On: "orderMarkAsPaid", Times: 1, Drop: true, Effect: true},
			shopsim.Fault{On: "orderCancel", Times: 1, Drop: true, Effect: true},
		)
		if r := out.Deliver(t.Context(), n); r.Status != commerce.Again {
			t.Errorf("%s, with a lost answer: %+v", name, r)
		}
		for range 2 {
			if r := out.Deliver(t.Context(), n); r.Status != commerce.Delivered {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if got := kinds(shop.Effects(o.ID)[1:]); got != effects {
			t.Errorf("%s: %s, expected %s", name, got, effects)
		}
	}
	if i, r := out.Inspect(t.Context()); r.Status != commerce.Delivered || i.Domain != "fjell.myshopify.com" || i.APIVersion != "2026-10" || !i.Time.Equal(newClock().now().Truncate(1e9)) {
		t.Errorf("%+v %+v", i, r)
	}
}
