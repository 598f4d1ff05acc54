package demoshop

import (
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/shopsim"
)

// Woo is a WooCommerce shop with a small page to click through at its address.
type Woo struct {
	*shopsim.Woo
	standIn
	secretText string // of the webhooks
}

// OpenWoo makes the shop, whose first order has the id firstID (0: the stand-in's own). It answers nothing until it is joined.
func OpenWoo(c Config, firstID int64) (*Woo, error) {
	w := &Woo{standIn: standIn{Config: c}}
	secrets, err := w.open("woocommerce-webhook", "woocommerce-key", "woocommerce-secret")
	if err != nil {
		return nil, err
	}
	hook, key, password := secrets[0], secrets[1], secrets[2]
	w.secretText = hook.value
	w.Woo = shopsim.NewWoo(shopsim.WooConfig{
		Home: w.URL + "/", ConsumerKey: key.value, ConsumerSecret: password.value, Currency: c.Currency, PricesIncludeTax: true, FirstID: firstID,
	})
	w.Connection = connections.Connection{
		WooCommerce: &connections.WooCommerce{
			URL: w.URL, PaymentMethods: []string{"seqr"}, WebhookSecret: hook.file, ConsumerKey: key.file, ConsumerSecret: password.file,
		},
		Page: connections.Page{Name: "Demo shop", ReturnURL: w.URL + "/thanks/{order}?key={key}"},
	}
	return w, nil
}

// Join has the shop send its orders to the gateway at this address, and serves the shop's page and API. Buyers are sent to the
// checkout pages of the same gateway.
func (w *Woo) Join(gateway string) error {
	w.serve(&shopsim.Page{Woo: w.Woo, Shop: w.ID, Checkout: gateway})
	for _, topic := range []string{"order.created", "order.updated", "order.deleted", "order.restored"} {
		if _, err := w.AddWebhook(topic, hookURL(gateway, w.ID, "woocommerce"), w.secretText); err != nil {
			return fmt.Errorf("the shop %s: webhook %s: %w", w.ID, topic, err)
		}
	}
	return nil
}

// Close ends the shop and what it sends.
func (w *Woo) Close() error {
	w.Woo.Close()
	return w.close()
}

// Shopify is a Shopify shop: its Admin API is at its address.
type Shopify struct {
	*shopsim.Shopify
	standIn
}

// OpenShopify makes the shop. It answers nothing until it is joined. Its webhooks come in the wrong order, and twice.
func OpenShopify(c Config) (*Shopify, error) {
	s := &Shopify{standIn: standIn{Config: c}}
	secrets, err := s.open("shopify-webhook", "shopify-token")
	if err != nil {
		return nil, err
	}
	hook, token := secrets[0], secrets[1]
	domain := c.ID + ".myshopify.com"
	s.Shopify = shopsim.NewShopify(shopsim.ShopifyConfig{
		Domain: domain, Secret: hook.value, AccessToken: token.value, Currency: c.Currency, TaxesIncluded: true, UpdatedFirst: true, DeliveredTwice: true,
	})
	s.Connection = connections.Connection{Shopify: &connections.Shopify{
		Domain: domain, URL: s.URL, Gateways: []string{"SEQR"}, APIVersion: "2026-10", WebhookSecret: hook.file, AccessToken: token.file,
	}}
	return s, nil
}

// Join has the shop send its orders to the gateway at this address, and serves its API.
func (s *Shopify) Join(gateway string) error {
	s.serve(s.Shopify)
	for _, topic := range []string{"orders/create", "orders/updated", "orders/cancelled", "refunds/create"} {
		s.Subscribe(topic, hookURL(gateway, s.ID, "shopify"))
	}
	return nil
}

// Close ends the shop and what it sends.
func (s *Shopify) Close() error {
	s.Shopify.Close()
	return s.close()
}

func hookURL(gateway, shop, system string) string {
	return strings.TrimSuffix(gateway, "/") + "/hooks/" + shop + "/" + system
}

// IDFromClock gives an id for the first order of a shop whose earlier orders are forgotten but not their invoices: it grows by ten a
// second, faster than a person orders.
func IDFromClock(now time.Time) int64 {
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	return max(1, now.Sub(begin).Milliseconds()/100)
}
