package shopify

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// Topics gives the topics of webhooks that a shop has to send, as Shopify's settings have them.
func Topics() []string {
	return []string{"orders/create", "orders/updated", "orders/cancelled", "refunds/create"}
}

// Scopes gives what the access token has to allow.
func Scopes() []string { return []string{"read_orders", "write_orders"} }

// Inspection is what a check of a connection needs to know of the shop.
type Inspection struct {
	Domain        string // the shop's own at Shopify, to be compared with the connection's
	Currency      string // the shop's, ISO 4217
	Scopes        []string
	Subscriptions []Subscription
	APIVersion    string    // that Shopify has answered with: a newer one than asked for, once that is not served any more
	Time          time.Time // by Shopify's clock; zero where it did not say
}

// Subscription is a webhook that the app has ordered. One that a person has ordered in the shop's settings is not among them, and is
// signed with another secret.
type Subscription struct {
	Topic   string // such as "orders/create"; another than those of Topics as the API names it
	Address string
}

// Missing gives the topics for which no webhook goes to the address.
func (i Inspection) Missing(address string) []string {
	return slices.DeleteFunc(Topics(), func(topic string) bool {
		return slices.Contains(i.Subscriptions, Subscription{topic, address})
	})
}

const inspect = `query inspect {
  shop { myshopifyDomain currencyCode }
  currentAppInstallation { accessScopes { handle } }
  webhookSubscriptions(first: 250) { nodes { topic uri } }
}`

// Inspect asks the shop what a check of the connection needs. Only where the result's status is Delivered is the inspection whole.
func (o *Outbound) Inspect(ctx context.Context) (Inspection, commerce.Result) {
	var data struct {
		Shop struct {
			Domain   string `json:"myshopifyDomain"`
			Currency string `json:"currencyCode"`
		} `json:"shop"`
		Installation struct {
			Scopes []struct {
				Handle string `json:"handle"`
			} `json:"accessScopes"`
		} `json:"currentAppInstallation"`
		Subscriptions struct {
			Nodes []struct {
				Topic string `json:"topic"`
				URI   string `json:"uri"`
			} `json:"nodes"`
		} `json:"webhookSubscriptions"`
	}
	answer, result := o.call(ctx, "inspect the shop", inspect, nil, &data)
	if result.Status != commerce.Delivered {
		return Inspection{}, result
	}
	i := Inspection{Domain: data.Shop.Domain, Currency: data.Shop.Currency, APIVersion: answer.Header.Get("X-Shopify-API-Version")}
	i.Time, _ = answer.Time()
	for _, s := range data.Installation.Scopes {
		i.Scopes = append(i.Scopes, s.Handle)
	}
	for _, n := range data.Subscriptions.Nodes {
		i.Subscriptions = append(i.Subscriptions, Subscription{topicOf(n.Topic), n.URI})
	}
	return i, result
}

// topicOf gives the topic that the API names ORDERS_CREATE.
func topicOf(name string) string {
	for _, topic := range Topics() {
		if strings.ToUpper(strings.Replace(topic, "/", "_", 1)) == name {
			return topic
		}
	}
	return name
}
