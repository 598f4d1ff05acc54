package woocommerce

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Client calls the shop's REST API, version 3. It is safe for concurrent use.
type Client struct {
	base        string
	key, secret string
	doer        commerce.Doer
}

// NewClient makes the client of the shop at the address, such as https://shop.example, with a consumer key and its secret. They
// go out with each request, so the address must be https, or http to this machine. The doer must not follow redirects.
func NewClient(address, key, secret string, doer commerce.Doer) (*Client, error) {
	if err := commerce.CheckEndpoint(address); err != nil {
		return nil, err
	}
	return &Client{strings.TrimSuffix(address, "/") + "/wp-json/wc/v3", key, secret, doer}, nil
}

// CallError is the error of a call that did not succeed. Its Result says whether to try again, with the HTTP status.
type CallError struct{ commerce.Result }

func (e *CallError) Error() string { return e.Detail }

const (
	maxList  = 32 << 20 // bytes of a page of orders, which may have 200 lines each
	maxOrder = 4 << 20
)

// call makes one request and reads its answer into out; doing names it in the error, which is a [*CallError].
func (c *Client) call(ctx context.Context, doing, method, path string, query url.Values, in, out any) (commerce.Answer, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := events.Encode(in)
		if err != nil {
			return commerce.Answer{}, err
		}
		body = bytes.NewReader(b)
	}
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return commerce.Answer{}, err
	}
	r.SetBasicAuth(c.key, c.secret)
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	limit := int64(maxOrder)
	if len(query) > 0 {
		limit = maxList
	}
	a, err := commerce.Ask(c.doer, r, limit)
	if err != nil || !a.OK() {
		return a, failed(doing, a, err)
	}
	if err := a.JSON(out); err != nil { // a page of a proxy or of a plugin: it passes
		return a, failed(doing, a, err)
	}
	return a, nil
}

func failed(doing string, a commerce.Answer, err error) error {
	r := commerce.ResultOf(doing, a, err)
	if code := errorCode(a); code != "" && err == nil {
		r.Detail += " (" + code + ")"
	}
	return &CallError{r}
}

// errorCode is WooCommerce's own name of an error, such as woocommerce_rest_shop_order_invalid_id; "" where it gives none.
func errorCode(a commerce.Answer) string {
	var e struct {
		Code commerce.Text `json:"code"`
	}
	if json.Unmarshal(a.Body, &e) != nil || !events.IsToken(string(e.Code)) {
		return ""
	}
	return string(e.Code)
}

// Check makes a call that needs the credentials, and gives the shop's clock where its answer has it.
func (c *Client) Check(ctx context.Context) (clock time.Time, err error) {
	a, err := c.call(ctx, "list one order", http.MethodGet, "/orders", url.Values{"per_page": {"1"}, "_fields": {"id"}}, nil, &[]json.RawMessage{})
	clock, _ = a.Time()
	return clock, err
}

// invalidOrder is the error of an order that is not there.
const invalidOrder = "woocommerce_rest_shop_order_invalid_id"

// CheckWrite makes a call that needs the right to change orders and changes none: no order has the id 0.
func (c *Client) CheckWrite(ctx context.Context) error {
	a, err := c.call(ctx, "change an order that is not there", http.MethodPut, "/orders/0", nil, struct{}{}, &struct{}{})
	if errorCode(a) == invalidOrder {
		return nil
	}
	return err
}

// PaymentMethod is a payment method of the shop.
type PaymentMethod struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Enabled bool   `json:"enabled"`
}

// PaymentMethods lists the payment methods of the shop. The consumer key needs the right to read them.
func (c *Client) PaymentMethods(ctx context.Context) (all []PaymentMethod, err error) {
	_, err = c.call(ctx, "list the payment methods", http.MethodGet, "/payment_gateways", nil, nil, &all)
	return all, err
}

// Webhook is one webhook as it is set up in the shop.
type Webhook struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Status      string `json:"status"` // active, paused or disabled; WooCommerce disables one that fails too often
	Topic       string `json:"topic"`
	DeliveryURL string `json:"delivery_url"`
}

// Active says whether the shop sends the webhook.
func (w Webhook) Active() bool { return w.Status == "active" }

// Webhooks lists the webhooks of the shop. The consumer key needs the right to read them.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var all []Webhook
	for page := 1; ; page++ {
		var some []Webhook
		_, err := c.call(ctx, "list the webhooks", http.MethodGet, "/webhooks", pageQuery(page, perPage), nil, &some)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < perPage || page == maxPages {
			return all, nil
		}
	}
}

const (
	perPage  = 100 // the most that WooCommerce gives
	maxPages = 10_000
)

func pageQuery(page, size int) url.Values {
	return url.Values{"per_page": {fmt.Sprint(size)}, "page": {fmt.Sprint(page)}}
}
