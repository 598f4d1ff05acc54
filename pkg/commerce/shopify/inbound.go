package shopify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
)

// Inbound is the inbound half of the connection to one Shopify shop.
type Inbound struct {
	Domain      string   // the shop's own at Shopify, such as "fjell.myshopify.com"
	Gateways    []string // the payment methods that are ours, as payment_gateway_names has them
	Secrets     []string // the app's secret, and the former one while it is being replaced
	Presentment bool     // charge the currency that the buyer saw; without it an order with two currencies is refused
}

var _ commerce.Inbound = Inbound{}

// The headers of a webhook that are read.
const (
	headerSignature = "X-Shopify-Hmac-Sha256"
	headerDomain    = "X-Shopify-Shop-Domain"
	headerTopic     = "X-Shopify-Topic"
)

// Probe gives a webhook of the shop that is signed with the secret and asks for nothing: what the gateway answers to it says whether
// it knows the secret.
func Probe(domain, secret string) (h http.Header, body []byte) {
	h, body = http.Header{"Content-Type": {"application/json"}}, []byte("{}")
	h.Set(headerTopic, "seqrflow/probe")
	h.Set(headerDomain, domain)
	commerce.SignHMAC(h, headerSignature, body, secret)
	return h, body
}

// Verify says whether Shopify has sent the request, and about this connection's shop. The signature does not cover the header
// with the shop's domain, and one app's secret may sign for several shops. So another shop's request counts as not signed for
// this connection: it is not kept with this shop's messages, and Shopify repeats it for hours while the address is mended.
func (in Inbound) Verify(r commerce.Request) error {
	if err := commerce.CheckHMAC(r.Header, headerSignature, r.Body, in.Secrets); err != nil {
		return err
	}
	if domain := r.Header.Get(headerDomain); !strings.EqualFold(domain, in.Domain) {
		return fmt.Errorf("%w: X-Shopify-Shop-Domain is %s, and this address is for %s", commerce.ErrSignature, commerce.Text(domain).Shown(), in.Domain)
	}
	return nil
}

// Translate gives the order events of a webhook. What an order asks for is in its contents alone, so its topics need no order of
// arrival: each tells all of the order as it is.
func (in Inbound) Translate(r commerce.Request) (commerce.Translation, error) {
	switch topic := r.Header.Get(headerTopic); topic {
	case "orders/create", "orders/updated", "orders/paid", "orders/cancelled":
		return in.translateOrder(r)
	case "refunds/create":
		return in.translateRefund(r)
	case "orders/edited":
		return commerce.Ignored("", "orders/edited does not have the order: orders/updated brings it"), nil
	case "customers/data_request", "customers/redact", "shop/redact":
		return commerce.Ignored("", "%s: no data of a customer is kept", topic), nil
	case "":
		return commerce.Translation{}, &commerce.Refusal{Field: "header X-Shopify-Topic", Expected: "expected a topic such as orders/create, got none"}
	default:
		return commerce.Ignored("", "the topic %s asks for no payment", commerce.Text(topic).Shown()), nil
	}
}

// Known gives what is read of an order or a refund.
func (Inbound) Known(body []byte) json.RawMessage { return commerce.Known(body, order{}, refund{}) }

// ours says whether a payment method of the shop is this connection's.
func (in Inbound) ours(gateway string) bool {
	return slices.ContainsFunc(in.Gateways, func(g string) bool {
		return strings.EqualFold(strings.TrimSpace(g), strings.TrimSpace(gateway))
	})
}
