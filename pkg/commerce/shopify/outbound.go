package shopify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// OutboundConfig is what the outbound half needs to know of a connection.
type OutboundConfig struct {
	Domain       string // the shop's own at Shopify, such as "fjell.myshopify.com"
	URL          string // of the Admin API if it is not https://<domain>: https, or http to this machine
	APIVersion   string // such as "2026-10"
	Token        string // the app's access token, with the scopes read_orders and write_orders; or else ClientID and ClientSecret
	ClientID     string // of an app that Shopify gives tokens of a day
	ClientSecret string
	HTTP         commerce.Doer // an *http.Client is copied so that it follows no redirect; another Doer must follow none
}

// Outbound is the outbound half of the connection to one Shopify shop. It is safe for concurrent use.
type Outbound struct {
	url    string
	tokens *tokens
	http   commerce.Doer
}

var _ commerce.Outbound = (*Outbound)(nil)

// NewOutbound checks the settings; the error names each that is wrong, and never has the token.
func NewOutbound(c OutboundConfig) (*Outbound, error) {
	base := strings.TrimSuffix(c.URL, "/")
	if base == "" {
		base = "https://" + c.Domain
	}
	var errs []error
	if err := commerce.CheckEndpoint(base); err != nil {
		errs = append(errs, fmt.Errorf("url: %w", err))
	}
	if c.Token == "" && (c.ClientID == "" || c.ClientSecret == "") {
		errs = append(errs, errors.New("access_token_file: expected a token that is not empty, or else client_id and client_secret_file"))
	}
	if client, ok := c.HTTP.(*http.Client); ok {
		own := *client
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.HTTP = &own
	}
	t := &tokens{url: base + "/admin/oauth/access_token", http: c.HTTP, token: c.Token}
	if c.Token == "" {
		t.id, t.secret = c.ClientID, c.ClientSecret
	}
	return &Outbound{base + "/admin/api/" + c.APIVersion + "/graphql.json", t, c.HTTP}, errors.Join(errs...)
}

// Deliver marks the shop's order as paid, cancels it when its invoice was canceled, or tags it with how the invoice ended else and what
// became of a refund. It
// looks at the order before each change that is not harmless to repeat.
func (o *Outbound) Deliver(ctx context.Context, n commerce.Notice) commerce.Result {
	id, err := commerce.Text(n.Invoice.OrderID).ID()
	if err != nil {
		return commerce.Skip("the order %s is none of Shopify's", commerce.Text(n.Invoice.OrderID).Shown())
	}
	gid := "gid://shopify/Order/" + id
	switch n.Name {
	case events.EventPaid:
		if n.Invoice.Late {
			return commerce.Skip("paid after the invoice had ended: it is paid back, and the order stays as it is")
		}
		return o.markPaid(ctx, gid, n.Invoice)
	case events.EventCanceled:
		if n.GoesOn {
			return commerce.Skip("the buyer has begun another payment: the order is not canceled")
		}
		return o.cancel(ctx, gid)
	case events.EventExpired, events.EventFailed, events.EventRejected:
		// Shopify cancels for good, and the buyer may try again.
		return o.tag(ctx, gid, "SEQR "+string(n.Name))
	case events.EventRefunded:
		return o.tag(ctx, gid, refundTag(n, "paid"))
	case events.EventRefundFailed:
		return o.tag(ctx, gid, refundTag(n, "failed"))
	case events.EventRefundUnknown:
		return o.tag(ctx, gid, refundTag(n, "unknown"))
	}
	return commerce.Skip("the shop need not know of %s", n.Name)
}

// settled are the statuses of an order that was paid, whatever was paid back since.
var settled = []string{"PAID", "PARTIALLY_REFUNDED", "REFUNDED"}

// markPaid marks the order as paid for the invoice. Shopify marks all that is outstanding, so it has to be what was paid.
func (o *Outbound) markPaid(ctx context.Context, gid string, inv events.Invoice) commerce.Result {
	s, result := o.look(ctx, gid)
	switch {
	case result.Status != commerce.Delivered:
		return result
	case slices.Contains(settled, s.FinancialStatus):
		return commerce.Done("the order is %s in the shop already", s.FinancialStatus)
	case s.CanceledAt != "":
		return commerce.Skip("the order was canceled in the shop before it was paid")
	}
	if outstanding, ok := s.Outstanding.in(inv.Currency); !ok || outstanding.Cmp(inv.Total) != 0 {
		return commerce.Result{Status: commerce.Refused, Code: result.Code, Detail: fmt.Sprintf(
			"mark as paid: expected %s %s to be outstanding, as was paid, got %s: a person has to decide", inv.Total, inv.Currency, s.Outstanding)}
	}
	return o.change(ctx, gid, "mark as paid", markAsPaid, map[string]any{"input": map[string]any{"id": gid}},
		func(s state) bool { return slices.Contains(settled, s.FinancialStatus) })
}

// cancel cancels the order if nothing of it is paid. Where another payment method has paid a part, a person has to decide about
// that part: the order is tagged.
func (o *Outbound) cancel(ctx context.Context, gid string) commerce.Result {
	s, result := o.look(ctx, gid)
	switch {
	case result.Status != commerce.Delivered:
		return result
	case s.CanceledAt != "":
		return commerce.Done("the order is canceled in the shop already")
	case s.FinancialStatus == "PARTIALLY_PAID":
		return o.tag(ctx, gid, "SEQR canceled")
	case !slices.Contains([]string{"PENDING", "EXPIRED"}, s.FinancialStatus):
		return commerce.Skip("the order is %s in the shop: it is not canceled", s.FinancialStatus)
	}
	return o.change(ctx, gid, "cancel the order", cancelOrder, map[string]any{
		"orderId": gid, "reason": "OTHER", "restock": true, "notifyCustomer": false, "staffNote": "SEQR: the payment was canceled",
		"refundMethod": map[string]any{"originalPaymentMethodsRefund": false},
	}, func(s state) bool { return s.CanceledAt != "" })
}

// refundTag is the tag for the outcome of a refund. A tag is added beside those of the shop's staff, and is there once however often it
// is added; the order's note is left to them.
func refundTag(n commerce.Notice, outcome string) string {
	id := commerce.Clip(strings.ReplaceAll(n.Invoice.Change.RefundID, ",", " "), maxTag-len("SEQR refund  unknown"))
	return "SEQR refund " + id + " " + outcome
}

// maxTag is how many characters Shopify takes.
const maxTag = 40
