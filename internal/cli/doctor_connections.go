package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/outbound"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// connectionCheck looks at the connections of the shops' systems from outside in: the secrets, the gateway's public address, then each
// shop's own system. It changes nothing anywhere.
type connectionCheck struct {
	connections.File
	shops     app.ShopList
	notifyURL string
	now       func() time.Time
}

const (
	// connectionTime bounds the check of all connections.
	connectionTime = time.Minute
	// connectionsAtOnce is how many shops are looked at in parallel.
	connectionsAtOnce = 8
)

func (k connectionCheck) findings(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, connectionTime)
	defer cancel()
	out := k.checkoutFindings()
	shops := k.Shops()
	if slices.ContainsFunc(shops, func(shop string) bool { return k.Connections[shop].TakesHooks() }) {
		out = append(out, k.addressFinding())
	}
	found := make([][]finding, len(shops))
	var all errgroup.Group
	all.SetLimit(connectionsAtOnce)
	for i, shop := range shops {
		all.Go(func() error { found[i] = k.shopFindings(ctx, shop, k.Connections[shop]); return nil })
	}
	_ = all.Wait() // no check gives an error
	return append(out, slices.Concat(found...)...)
}

func (k connectionCheck) shopFindings(ctx context.Context, shop string, c connections.Connection) []finding {
	at := "connections." + shop
	out := append(k.credentialFinding(shop), secretFindings(at, c)...)
	if w := c.WooCommerce; w != nil {
		out = append(out, k.wooFindings(ctx, shop, *w)...)
	}
	if s := c.Shopify; s != nil {
		out = append(out, k.shopifyFindings(ctx, shop, *s)...)
	}
	for _, w := range c.Webhooks {
		out = append(out, destinationFinding(ctx, at+".webhooks."+w.Name, w))
	}
	return out
}

// credentialFinding tells of a shop whose orders no worker can invoice.
func (k connectionCheck) credentialFinding(shop string) []finding {
	if len(k.shops) == 0 {
		return nil // said already
	}
	if _, found := k.shops.Of(shop); found {
		return nil
	}
	return []finding{{fail, fmt.Sprintf("connections.%s: the shop has no credentials at the provider", shop), fmt.Sprintf("add shops.%s to the shops file: its orders are parked until then", shop)}}
}

// address is where shops' systems reach the gateway, and the setting that says so: where buyers reach it, or else where the provider
// does. Both are "" where no setting has a public address.
func (k connectionCheck) address() (base, setting string) {
	switch {
	case k.Checkout.BaseURL != "":
		base, setting = k.Checkout.BaseURL, "checkout.base_url"
	case commerce.CheckEndpoint(k.notifyURL) == nil:
		base, setting = k.notifyURL, "--notify-url"
	}
	return strings.TrimSuffix(base, "/"), setting
}

func (k connectionCheck) addressFinding() finding {
	base, setting := k.address()
	if base == "" {
		return finding{warn, "the gateway's public address is not known, so only the paths of delivery URLs are compared", "set checkout.base_url in the connections file, or --notify-url to an https address"}
	}
	return finding{ok, fmt.Sprintf("shops' systems are to send to %s (%s)", base, setting), ""}
}

// hookURLs gives the URLs that a system of a shop may deliver to. The first is the one to enter; of an unknown public address it is a
// path only.
func (k connectionCheck) hookURLs(shop, system string) []string {
	base, _ := k.address()
	return slices.Compact([]string{base + "/hooks/" + url.PathEscape(shop) + "/" + system, base + "/hooks/" + events.Token(shop) + "/" + system})
}

// isHook says whether a delivery URL is one of those; known says that the public address is.
func isHook(delivery string, urls []string) bool {
	return slices.ContainsFunc(urls, func(want string) bool {
		return delivery == want || strings.HasPrefix(want, "/") && strings.HasSuffix(delivery, want)
	})
}

// seemsHook says whether a delivery URL seems to be meant for the gateway, with a mistake in its path, at a wrong address or for another shop.
func seemsHook(delivery, to string) bool {
	base, _, _ := strings.Cut(to, "/hooks/")
	return base != "" && strings.HasPrefix(delivery, base+"/") || strings.Contains(delivery, "/hooks/") && path.Base(delivery) == path.Base(to)
}

// probeFinding sends the gateway a signed webhook that asks for nothing, by the way that the shop's system takes.
func (k connectionCheck) probeFinding(ctx context.Context, at, to string, header http.Header, body []byte) []finding {
	if strings.HasPrefix(to, "/") {
		return nil // the address is not known, which was said
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return []finding{{fail, at + ": " + to + " is not a URL", "correct the gateway's public address"}}
	}
	r.Header = header
	client := outbound.New(outbound.Config{AllowPrivate: true})
	defer client.Close()
	a, err := commerce.Ask(client, r, 0)
	_, setting := k.address()
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return []finding{{fail, fmt.Sprintf("%s: the certificate at %s is not good: %v", at, to, err), "correct the certificate of the TLS proxy, or " + setting + ": shops' systems refuse it too"}}
	case err != nil:
		return []finding{{warn, fmt.Sprintf("%s: the gateway is not reached at %s: %v", at, to, err),
			"check " + setting + ", its name, the TLS proxy and the gateway; some networks do not let a machine reach its own public address: try from elsewhere"}}
	case a.OK():
		return []finding{{ok, at + ": the gateway answers at " + to + " and knows the webhook secret", ""}}
	case a.Code == http.StatusUnauthorized:
		return []finding{{fail, at + ": the gateway at " + to + " does not know the webhook secret of this file", "restart the gateway after a change of the file; both must have the same connections file and secrets"}}
	case a.Code == http.StatusNotFound:
		return []finding{{fail, at + ": " + to + " answers 404", "let the proxy pass /hooks on to the gateway (docs/connect/Caddyfile), and start the gateway with this connections file"}}
	}
	return []finding{{fail, fmt.Sprintf("%s: %s answers %d", at, to, a.Code), "see the gateway's log and the proxy's; no answer but 2xx keeps a shop's webhooks alive"}}
}

// maxShopSkew is how far a shop's clock may be off: sweeps go by it, and people compare its times with ours.
const maxShopSkew = time.Minute

// shopClockFinding compares the shop's clock, where it says, with ours.
func shopClockFinding(at string, clock, now time.Time) []finding {
	if clock.IsZero() {
		return nil
	}
	if off := clock.Sub(now).Abs(); off > maxShopSkew {
		return []finding{{warn, fmt.Sprintf("%s: the shop's clock and this machine's are %s apart", at, off.Round(time.Second)), "correct the one that is wrong, and run a time service such as chrony there"}}
	}
	return nil
}

// destinationFinding connects to a webhook's destination and sends nothing.
func destinationFinding(ctx context.Context, at string, w connections.Webhook) finding {
	if w.Disabled {
		return finding{warn, at + " is disabled: nothing is sent, and its events are kept", "remove disabled: true to send them"}
	}
	client := outbound.New(outbound.Config{AllowPrivate: w.AllowPrivate})
	defer client.Close()
	if err := client.Reach(ctx, w.URL); err != nil {
		return finding{fail, fmt.Sprintf("%s is not reached: %v", at, err), "check its url, name, certificate and firewall; its events are kept and tried for 3 days"}
	}
	u, _ := url.Parse(w.URL) // what is reached is a URL
	return finding{ok, at + ": " + u.Host + " is reached", ""}
}
