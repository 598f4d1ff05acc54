package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/outbound"
	"github.com/seqrflow/seqrflow/pkg/commerce/woocommerce"
)

// wooAnswer is how many bytes of an answer of WooCommerce's are read: lists of webhooks and payment methods are long.
const wooAnswer = 4 << 20

const wooKeyAdvice = "make a key with the permissions Read/Write for a user who manages the shop (WooCommerce, Settings, Advanced, REST API), and save its two halves in consumer_key_file and consumer_secret_file"

// wooFindings asks a shop of WooCommerce what it is set up to do.
func (k connectionCheck) wooFindings(ctx context.Context, shop string, w connections.WooCommerce) (out []finding) {
	at, urls := "connections."+shop+".woocommerce", k.hookURLs(shop, "woocommerce")
	if secret := firstOf(w.WebhookSecret); secret != "" {
		header, body := woocommerce.Probe(secret)
		out = k.probeFinding(ctx, at, urls[0], header, body)
	}
	key, secret := firstOf(w.ConsumerKey), firstOf(w.ConsumerSecret)
	if key == "" || secret == "" {
		return out // said with the secrets
	}
	doer := outbound.New(outbound.Config{AllowPrivate: w.AllowPrivate, MaxAnswer: wooAnswer})
	defer doer.Close()
	client, err := woocommerce.NewClient(w.URL, key, secret, doer)
	if err != nil {
		return append(out, finding{fail, at + ".url: " + err.Error(), "correct the connections file"})
	}
	clock, err := client.Check(ctx)
	if err != nil {
		return append(out, wooRefusal(at, err))
	}
	out = append(out, shopClockFinding(at, clock, k.now())...)
	if err := client.CheckWrite(ctx); err != nil {
		out = append(out, wooWriteRefusal(at, err))
	} else {
		out = append(out, finding{ok, at + ": the shop's REST API takes the consumer key for reading and writing", ""})
	}
	out = append(out, wooMethodFindings(ctx, at, w.PaymentMethods, client)...)
	return append(out, wooWebhookFindings(ctx, at, urls, client)...)
}

// wooRefusal tells what is wrong by the shop's answer to the first call.
func wooRefusal(at string, err error) finding {
	switch code := codeOf(err); {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return finding{fail, at + ": the shop refuses the consumer key: " + err.Error(), wooKeyAdvice + "; if the key is right, the web server may drop the header Authorization"}
	case code == http.StatusNotFound:
		return finding{fail, at + ": the shop has no REST API there: " + err.Error(), "set url to the site's address, without /wp-json; in WordPress choose permalinks other than Plain"}
	case code >= 200 && code < 300:
		return finding{fail, at + ": a page answers in place of the REST API: " + err.Error(), "correct url; look for a plugin or a proxy that answers /wp-json, such as one for maintenance"}
	case code >= 300 && code < 400:
		return finding{fail, at + ": " + err.Error(), "set url to the address that the browser shows for the shop"}
	case code == 0:
		return finding{fail, at + ": the shop does not answer: " + err.Error(), "check url, its name, certificate and firewall"}
	}
	return finding{fail, at + ": " + err.Error(), "look at the shop's own log, and run doctor again"}
}

func wooWriteRefusal(at string, err error) finding {
	if code := codeOf(err); code == http.StatusUnauthorized || code == http.StatusForbidden {
		return finding{fail, at + ": the consumer key may read orders but not change them", wooKeyAdvice}
	}
	return finding{fail, at + ": " + err.Error(), "see whether a plugin or the host blocks PUT requests to /wp-json"}
}

func codeOf(err error) int {
	var failed *woocommerce.CallError
	if errors.As(err, &failed) {
		return failed.Code
	}
	return 0
}

// wooMethodFindings compares the payment methods with those that the shop knows.
func wooMethodFindings(ctx context.Context, at string, ours []string, client *woocommerce.Client) (out []finding) {
	methods, err := client.PaymentMethods(ctx)
	if err != nil {
		return []finding{{warn, at + ".payment_methods were not compared: " + err.Error(), "let the key belong to a user who manages the shop (role Shop manager or Administrator)"}}
	}
	var ids []string
	for _, m := range methods {
		ids = append(ids, m.ID)
	}
	for _, id := range ours {
		i := slices.Index(ids, id)
		switch {
		case i < 0:
			out = append(out, finding{fail, fmt.Sprintf("%s.payment_methods: the shop has no payment method with the id %q", at, id), "the shop has " + strings.Join(ids, ", ")})
		case !methods[i].Enabled:
			out = append(out, finding{warn, fmt.Sprintf("%s: the payment method %q is switched off in the shop", at, id), "switch it on (WooCommerce, Settings, Payments), or no buyer can choose it"})
		}
	}
	return out
}

// wooWebhookFindings compares the shop's webhooks with those that the connection needs.
func wooWebhookFindings(ctx context.Context, at string, urls []string, client *woocommerce.Client) (out []finding) {
	hooks, err := client.Webhooks(ctx)
	if err != nil {
		return []finding{{warn, at + ": the webhooks were not compared: " + err.Error(), "let the key belong to a user who manages the shop (role Shop manager or Administrator)"}}
	}
	for _, topic := range woocommerce.Topics() {
		if f := wooWebhookFinding(at, topic, urls, hooks); f.Level != ok {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%s: the %d webhooks are active and go to %s", at, len(woocommerce.Topics()), urls[0]), ""})
	}
	return out
}

// wooWebhookFinding looks for the one active webhook of a topic that goes to the gateway.
func wooWebhookFinding(at, topic string, urls []string, hooks []woocommerce.Webhook) finding {
	active, off, elsewhere := []int64{}, (*woocommerce.Webhook)(nil), (*woocommerce.Webhook)(nil)
	for _, h := range hooks {
		switch {
		case h.Topic != topic:
		case !isHook(h.DeliveryURL, urls):
			if seemsHook(h.DeliveryURL, urls[0]) {
				elsewhere = &h
			}
		case h.Active():
			active = append(active, h.ID)
		default:
			off = &h
		}
	}
	switch {
	case len(active) == 1:
		return finding{Level: ok}
	case len(active) > 1:
		slices.Sort(active)
		return finding{warn, fmt.Sprintf("%s: the webhooks %s send the same topic %s", at, strings.Trim(fmt.Sprint(active), "[]"), topic), "delete all but one of them"}
	case off != nil && off.Status == "disabled":
		return finding{fail, fmt.Sprintf("%s: WooCommerce has switched webhook %d (%s) off: more than 5 deliveries in a row failed", at, off.ID, topic),
			"mend the cause, then delete the webhook and make it anew: one that is only set to active again keeps its count, and the next failure switches it off at once"}
	case off != nil:
		return finding{fail, fmt.Sprintf("%s: webhook %d (%s) is %s", at, off.ID, topic, off.Status), "set its status to Active (WooCommerce, Settings, Advanced, Webhooks)"}
	case elsewhere != nil:
		return finding{fail, fmt.Sprintf("%s: webhook %d (%s) goes to %s", at, elsewhere.ID, topic, elsewhere.DeliveryURL), "set its delivery URL to " + urls[0]}
	}
	return finding{fail, fmt.Sprintf("%s: the shop has no webhook for %s", at, topic),
		fmt.Sprintf("add one (WooCommerce, Settings, Advanced, Webhooks): status Active, topic %s, delivery URL %s, the secret of webhook_secret_file, API version v3", wooTopicName[topic], urls[0])}
}

// wooTopicName is what WooCommerce's settings call a topic.
var wooTopicName = map[string]string{"order.created": "Order created", "order.updated": "Order updated", "order.deleted": "Order deleted", "order.restored": "Order restored"}
