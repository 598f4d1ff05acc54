package woocommerce

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// The headers of a webhook that are read.
const (
	headerTopic     = "X-WC-Webhook-Topic"
	headerSignature = "X-WC-Webhook-Signature"
)

// Inbound takes the webhooks of one shop. It is safe for concurrent use; its fields must not be changed then.
type Inbound struct {
	// Secrets are those of the shop's webhooks; any of them may have signed, so that they can be changed one by one.
	Secrets []string
	// PaymentMethods are the ids of the payment methods that SEQR takes payment for. Orders with another are left alone.
	PaymentMethods []string
}

var (
	_ commerce.Inbound = Inbound{}
	_ commerce.Pinger  = Inbound{}
)

// IsPing says whether the request is the one that WooCommerce makes when a webhook is saved, to see whether the URL answers
// 200. It is a form, and not signed.
func (Inbound) IsPing(r commerce.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || len(r.Body) > 100 {
		return false
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil || len(form) != 1 {
		return false
	}
	_, err = commerce.Text(form.Get("webhook_id")).ID()
	return err == nil
}

// Verify gives an error that wraps [commerce.ErrSignature] unless the body is signed with one of the secrets.
func (in Inbound) Verify(r commerce.Request) error {
	keys := make([]string, len(in.Secrets))
	for i, s := range in.Secrets {
		keys[i] = decodeSpecialChars.Replace(s)
	}
	return commerce.CheckHMAC(r.Header, headerSignature, r.Body, keys)
}

// decodeSpecialChars undoes WordPress's escaping: WooCommerce signs with the secret after it, whatever its form shows.
var decodeSpecialChars = strings.NewReplacer(
	"&amp;", "&", "&#038;", "&", "&#x26;", "&",
	"&lt;", "<", "&#060;", "<", "&#x3c;", "<",
	"&gt;", ">", "&#062;", ">", "&#x3e;", ">",
	"&quot;", `"`, "&#034;", `"`, "&#x22;", `"`,
	"&#039;", "'", "&#x27;", "'",
)

// Translate gives the order events that a webhook asks for. The same order may come any number of times, in any order.
func (in Inbound) Translate(r commerce.Request) (commerce.Translation, error) {
	switch topic := r.Header.Get(headerTopic); topic {
	case "order.created", "order.updated", "order.restored":
		return in.TranslateOrder(r.Shop, r.Body)
	case "order.deleted":
		return translateDeleted(r.Shop, r.Body)
	case "":
		return commerce.Translation{}, &commerce.Refusal{Field: "header " + headerTopic, Expected: "missing"}
	default:
		return commerce.Ignored("", "the topic %s is not about an order's payment", commerce.Clip(topic, 60)), nil
	}
}

// translateDeleted cancels an order that was put into the trash or deleted. The webhook has its id only, so it is not known
// whether it was paid; shops also throw old orders away. What is paid therefore stays paid.
func translateDeleted(shop string, body []byte) (commerce.Translation, error) {
	var p struct {
		ID commerce.Text `json:"id"`
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return commerce.Translation{}, unreadable("", err)
	}
	id, err := p.ID.ID()
	if err != nil {
		return commerce.Translation{}, &commerce.Refusal{Field: "id", Expected: err.Error()}
	}
	e := commerce.Canceled(events.Cancellation{OrderID: id, Shop: shop, KeepPaid: true, Reason: "deleted in WooCommerce"})
	return commerce.Translation{Order: id, Events: []commerce.Event{e}}, e.Check(shop, ownPath)
}

// Known gives what is read of a body, without the order's key and without what people write in free text.
func (Inbound) Known(body []byte) json.RawMessage { return commerce.Known(body, payload{}) }

// ownPath is for events whose fields are not the payload's.
func ownPath(path string) string { return path }

// Probe gives a webhook that is signed with the secret and asks for nothing: what the gateway answers to it says whether it knows the
// secret.
func Probe(secret string) (h http.Header, body []byte) {
	h, body = http.Header{"Content-Type": {"application/json"}}, []byte("{}")
	h.Set(headerTopic, "action.seqrflow_probe")
	commerce.SignHMAC(h, headerSignature, body, decodeSpecialChars.Replace(secret))
	return h, body
}

// Topics are the webhook topics that a connected shop has to send.
func Topics() []string {
	return []string{"order.created", "order.updated", "order.deleted", "order.restored"}
}
