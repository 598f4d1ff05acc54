package notifier

import (
	"errors"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/outbound"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Destination is a system of a shop that is told what happens to its invoices.
type Destination struct {
	Shop     string // the shop's id
	Name     string // one of the connection's Destinations
	Events   []events.Name
	Disabled bool              // nothing is sent, and the broker keeps what there is to send
	Outbound commerce.Outbound // nil when it is disabled
}

// endpoint is a destination of a connection before its secrets are read.
type endpoint struct {
	name                   string
	events                 []events.Name // all unless given
	disabled, allowPrivate bool
	maxAnswer              int                                            // bytes of an answer that it takes; that of the outbound client unless given
	connect                func(commerce.Doer) (commerce.Outbound, error) // reads the secrets of its calls, and no others
}

// systems are the kinds of systems that shops have. To add one is to add its folder under pkg/commerce and a row here: what of a
// connection is of that system.
var systems = []func(connections.Connection) []endpoint{wooCommerce, shopifyShop, webhooks}

// largestOrder is what an order of WooCommerce's with hundreds of lines may have, in bytes.
const largestOrder = 4 << 20

func wooCommerce(c connections.Connection) []endpoint {
	w := c.WooCommerce
	if w == nil {
		return nil
	}
	return []endpoint{{name: "woocommerce", allowPrivate: w.AllowPrivate, maxAnswer: largestOrder, connect: func(http commerce.Doer) (commerce.Outbound, error) {
		key, err := secret("consumer_key_file", w.ConsumerKey)
		if err != nil {
			return nil, err
		}
		password, err := secret("consumer_secret_file", w.ConsumerSecret)
		if err != nil {
			return nil, err
		}
		client, err := woocommerce.NewClient(w.URL, key, password, http)
		return &woocommerce.Outbound{Client: client, PaymentMethods: w.PaymentMethods}, err
	}}}
}

func shopifyShop(c connections.Connection) []endpoint {
	s := c.Shopify
	if s == nil {
		return nil
	}
	return []endpoint{{name: "shopify", allowPrivate: s.AllowPrivate, connect: func(http commerce.Doer) (commerce.Outbound, error) {
		cfg := shopify.OutboundConfig{Domain: s.Domain, URL: s.URL, APIVersion: s.APIVersion, ClientID: s.ClientID, HTTP: http}
		var err error
		if s.ClientID != "" {
			cfg.ClientSecret, err = secret("client_secret_file", s.ClientSecret)
		} else {
			cfg.Token, err = secret("access_token_file", s.AccessToken)
		}
		if err != nil {
			return nil, err
		}
		return shopify.NewOutbound(cfg)
	}}}
}

func webhooks(c connections.Connection) (all []endpoint) {
	for _, w := range c.Webhooks {
		all = append(all, endpoint{name: w.Name, events: w.Events, disabled: w.Disabled, allowPrivate: w.AllowPrivate, connect: func(http commerce.Doer) (commerce.Outbound, error) {
			secrets, err := w.Secrets.Read()
			if err != nil {
				return nil, fmt.Errorf("secret_files: %w", err)
			}
			return webhook.NewOutbound(webhook.OutboundConfig{URL: w.URL, Secrets: secrets, HTTP: http})
		}})
	}
	return all
}

// secret reads the first of the files: what a call is made with is one secret, the newest.
func secret(key string, files connections.SecretFiles) (string, error) {
	all, err := files.Read()
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	return all[0], nil
}

// Destinations gives the destinations that the file names. It reads their secrets. All errors are reported at once.
func Destinations(f connections.File) (all []Destination, err error) {
	var errs []error
	for _, shop := range f.Shops() {
		for _, of := range systems {
			for _, e := range of(f.Connections[shop]) {
				d := Destination{Shop: shop, Name: e.name, Events: e.events, Disabled: e.disabled}
				if !e.disabled {
					if d.Outbound, err = e.connect(outbound.New(outbound.Config{AllowPrivate: e.allowPrivate, MaxAnswer: e.maxAnswer})); err != nil {
						errs = append(errs, fmt.Errorf("connections.%s: %s: %w", shop, e.name, err))
					}
				}
				all = append(all, d)
			}
		}
	}
	return all, errors.Join(errs...)
}
