package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// system is one kind of shop system: a row of the table.
type system struct {
	name     string   // in the path of its requests
	accepted int      // status of the answer to a request that is accepted
	headers  []string // those that say what a request is about; logged, and kept with a request that could not be translated
	// inbound reads the secrets; it gives nil where the connection has no such system.
	inbound func(connections.Connection) (commerce.Inbound, error)
}

// systems is the table. To add a system is to add a folder to pkg/commerce, its settings to internal/connections, and a row here.
var systems = []system{
	{wooCommerce, http.StatusOK, []string{"X-Wc-Webhook-Topic", "X-Wc-Webhook-Id", "X-Wc-Webhook-Delivery-Id"}, func(c connections.Connection) (commerce.Inbound, error) {
		if c.WooCommerce == nil {
			return nil, nil
		}
		secrets, err := named("woocommerce.webhook_secret_file", c.WooCommerce.WebhookSecret)
		return &woocommerce.Inbound{Secrets: secrets, PaymentMethods: c.WooCommerce.PaymentMethods}, err
	}},
	{"shopify", http.StatusOK, []string{"X-Shopify-Topic", "X-Shopify-Webhook-Id", "X-Shopify-Event-Id", "X-Shopify-Shop-Domain", "X-Shopify-Api-Version"}, func(c connections.Connection) (commerce.Inbound, error) {
		if c.Shopify == nil {
			return nil, nil
		}
		secrets, err := named("shopify.webhook_secret_file", c.Shopify.WebhookSecret)
		return &shopify.Inbound{Secrets: secrets, Domain: c.Shopify.Domain, Gateways: c.Shopify.Gateways, Presentment: c.Shopify.Presentment}, err
	}},
	{"events", http.StatusAccepted, []string{"Content-Type", "Webhook-Id", "Ce-Id", "Ce-Type", "Ce-Source", "Ce-Specversion", "Ce-Subject", "Ce-Time"}, func(c connections.Connection) (commerce.Inbound, error) {
		if c.Events == nil {
			return nil, nil
		}
		secrets, err := named("events.secret_files", c.Events.Secrets)
		if err != nil {
			return nil, err
		}
		in, err := webhook.NewInbound(secrets)
		if err != nil {
			return nil, fmt.Errorf("events.%w", err)
		}
		return in, nil
	}},
}

func named(path string, files connections.SecretFiles) ([]string, error) {
	secrets, err := files.Read()
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return secrets, err
}

// about gives the headers that say what a request is about.
func (s system) about(h http.Header) map[string]string {
	found := map[string]string{}
	for _, name := range s.headers {
		if v := h.Get(name); v != "" {
			found[name] = clip(v)
		}
	}
	return found
}

// clip bounds what a request may write into the log.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// address names a hook by the subject token of the shop and the name of the system.
type address struct{ shop, system string }

// hook is one system of one shop.
type hook struct {
	system
	shop    string // the shop's id
	inbound commerce.Inbound
}

func (g *Gateway) hookOf(shop, system string) (hook, bool) {
	id, _, ok := g.Connections.Of(shop)
	h, found := g.hooks[address{events.Token(id), system}]
	return h, ok && found
}

// connect makes the hooks and sweeps of all connections.
func (g *Gateway) connect() error {
	g.hooks = map[address]hook{}
	var errs []error
	for _, shop := range g.Connections.Shops() {
		c := g.Connections.Connections[shop]
		for _, s := range systems {
			in, err := s.inbound(c)
			if err != nil {
				errs = append(errs, fmt.Errorf("connections.%s.%w", shop, err))
			} else if in != nil {
				g.hooks[address{events.Token(shop), s.name}] = hook{s, shop, in}
			}
		}
		if c.WooCommerce != nil {
			s, err := newSweep(shop, *c.WooCommerce)
			if err != nil {
				errs = append(errs, fmt.Errorf("connections.%s.%w", shop, err))
			}
			g.sweeps = append(g.sweeps, s)
		}
	}
	return errors.Join(errs...)
}
