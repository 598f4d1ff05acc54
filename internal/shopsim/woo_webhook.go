package shopsim

import (
	"cmp"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
)

const wooUserAgent = "WooCommerce/10.9.0 Hookshot (WordPress/7.0)"

// WooWebhook is a webhook of the shop. Its secret is not answered by the API.
type WooWebhook struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Status      string `json:"status"` // active, paused or disabled
	Topic       string `json:"topic"`
	Resource    string `json:"resource"`
	Event       string `json:"event"`
	DeliveryURL string `json:"delivery_url"`
	Secret      string `json:"-"` // as it was entered; special characters may be HTML entities

	failures int
	unpinged bool // no ping has been answered with 200
}

// AddWebhook makes an active webhook and pings it, as the API does. The error is that of the ping: the webhook exists all the same.
func (w *Woo) AddWebhook(topic, url, secret string) (WooWebhook, error) {
	w.mu.Lock()
	h := w.newWebhook(topic, url, secret)
	copied := *h
	w.mu.Unlock()
	return copied, w.ping(h)
}

// Webhooks gives all webhooks as they are now.
func (w *Woo) Webhooks() []WooWebhook {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []WooWebhook{}
	for _, h := range w.webhooks {
		out = append(out, *h)
	}
	return out
}

// newWebhook needs mu.
func (w *Woo) newWebhook(topic, url, secret string) *WooWebhook {
	h := &WooWebhook{ID: int64(len(w.webhooks) + 1), Name: "Webhook", Status: "active", DeliveryURL: url, Secret: secret, unpinged: true}
	h.setTopic(topic)
	w.webhooks = append(w.webhooks, h)
	return h
}

func (h *WooWebhook) setTopic(topic string) {
	h.Topic = topic
	h.Resource, h.Event, _ = strings.Cut(topic, ".")
}

// ping sends the unsigned form that a webhook starts with. Only 200 is good.
func (w *Woo) ping(h *WooWebhook) error {
	w.mu.Lock()
	url, id := h.DeliveryURL, h.ID
	w.mu.Unlock()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {wooUserAgent}}
	d := w.post("", url, header, fmt.Appendf(nil, "webhook_id=%d", id))
	if d.Err != nil {
		return fmt.Errorf("delivery URL cannot be reached: %w", d.Err)
	}
	if d.Code != http.StatusOK {
		return fmt.Errorf("delivery URL returned response code: %d", d.Code)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	h.unpinged = false
	return nil
}

// announce queues a delivery to every active webhook of the topic. It needs mu.
func (w *Woo) announce(topic string, order int64) {
	for _, h := range w.webhooks {
		if h.Topic == topic && h.Status == "active" {
			w.outbox.add(func() { w.deliver(h, order) })
		}
	}
}

// deliver makes the one attempt of a delivery.
func (w *Woo) deliver(h *WooWebhook, order int64) {
	w.mu.Lock()
	hook, body := *h, w.payload(h, order)
	w.mu.Unlock()
	mac := hmac.New(sha256.New, []byte(html.UnescapeString(hook.Secret)))
	mac.Write(body)
	id := md5.Sum(fmt.Appendf(nil, "%d%d", hook.ID, w.cfg.Now().Unix()))
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {wooUserAgent}}
	for name, value := range map[string]string{
		"Source": w.cfg.Home, "Topic": hook.Topic, "Resource": hook.Resource, "Event": hook.Event, "ID": fmt.Sprint(hook.ID),
		"Signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)), "Delivery-ID": hex.EncodeToString(id[:]),
	} {
		header.Set("X-WC-Webhook-"+name, value)
	}
	d := w.post(hook.Topic, hook.DeliveryURL, header, body)

	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case d.Succeeded(303):
		h.failures = 0
	case h.failures > 5:
		h.Status = "disabled"
	default:
		h.failures++
	}
}

// payload is what a delivery says about an order now. It needs mu.
func (w *Woo) payload(h *WooWebhook, order int64) []byte {
	if i := slices.IndexFunc(w.orders, func(o *WooOrder) bool { return o.ID == order }); i >= 0 && h.Event != "deleted" {
		return wooJSON(w.orders[i])
	}
	return fmt.Appendf(nil, `{"id":%d}`, order)
}

func (w *Woo) restWebhooks(c wooCall) (any, error) {
	all, status := w.Webhooks(), c.query.Get("status")
	if status != "" && status != "all" {
		all = slices.DeleteFunc(all, func(h WooWebhook) bool { return h.Status != status })
	}
	slices.Reverse(all)
	return paged(c, all)
}

var wooTopics = []string{"", "order.created", "order.updated", "order.deleted", "order.restored"}

// checkWebhook says what is wrong with the fields of a webhook.
func checkWebhook(b wooBody) error {
	if !slices.Contains(wooTopics, b.Topic) {
		return refuse(http.StatusBadRequest, "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is not valid.")
	}
	if !slices.Contains([]string{"", "active", "paused", "disabled"}, b.Status) {
		return badParam("status", "is not one of active, paused, and disabled")
	}
	return nil
}

func (w *Woo) restCreateWebhook(c wooCall) (any, error) {
	if err := checkWebhook(c.body); err != nil {
		return nil, err
	}
	if c.body.Topic == "" || c.body.DeliveryURL == "" {
		return nil, refuse(http.StatusBadRequest, "rest_missing_callback_param", "Missing parameter(s): topic, delivery_url")
	}
	h, _ := w.AddWebhook(c.body.Topic, c.body.DeliveryURL, c.body.Secret) // the API says nothing about the ping
	return h, nil
}

// restUpdateWebhook changes a webhook. Made active again it keeps its count of failures: the next failure disables it at once.
func (w *Woo) restUpdateWebhook(c wooCall) (any, error) {
	if err := checkWebhook(c.body); err != nil {
		return nil, err
	}
	w.mu.Lock()
	i := slices.IndexFunc(w.webhooks, func(h *WooWebhook) bool { return h.ID == c.id })
	if i < 0 {
		w.mu.Unlock()
		return nil, refuse(http.StatusBadRequest, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
	}
	h := w.webhooks[i]
	h.setTopic(cmp.Or(c.body.Topic, h.Topic))
	url := cmp.Or(c.body.DeliveryURL, h.DeliveryURL)
	h.unpinged = h.unpinged || url != h.DeliveryURL
	h.DeliveryURL, h.Secret, h.Status = url, cmp.Or(c.body.Secret, h.Secret), cmp.Or(c.body.Status, h.Status)
	copied := *h
	w.mu.Unlock()
	if copied.unpinged && copied.Status == "active" {
		_ = w.ping(h)
	}
	return copied, nil
}
