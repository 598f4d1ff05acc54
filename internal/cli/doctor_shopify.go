package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/outbound"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/commerce/shopify"
)

// shopifyFindings asks a shop of Shopify what it is set up to do.
func (k connectionCheck) shopifyFindings(ctx context.Context, shop string, s connections.Shopify) (out []finding) {
	at, urls := "connections."+shop+".shopify", k.hookURLs(shop, "shopify")
	if secret := firstOf(s.WebhookSecret); secret != "" {
		header, body := shopify.Probe(s.Domain, secret)
		out = k.probeFinding(ctx, at, urls[0], header, body)
	}
	token, secret := firstOf(s.AccessToken), firstOf(s.ClientSecret) // the connection has one of them
	if token+secret == "" {
		return out // said with the secrets
	}
	doer := outbound.New(outbound.Config{AllowPrivate: s.AllowPrivate, MaxAnswer: commerce.MaxAnswer})
	defer doer.Close()
	client, err := shopify.NewOutbound(shopify.OutboundConfig{Domain: s.Domain, URL: s.URL, APIVersion: s.APIVersion, Token: token, ClientID: s.ClientID, ClientSecret: secret, HTTP: doer})
	if err != nil {
		return append(out, finding{fail, at + "." + err.Error(), "correct the connections file"})
	}
	found, result := client.Inspect(ctx)
	if result.Status != commerce.Delivered {
		return append(out, shopifyRefusal(at, result))
	}
	out = append(out, shopifyShopFindings(at, s, found)...)
	out = append(out, shopClockFinding(at, found.Time, k.now())...)
	out = append(out, apiVersionFinding(at, s.APIVersion, found.APIVersion, k.now()))
	return append(out, shopifyWebhookFindings(at, urls, found)...)
}

func shopifyRefusal(at string, r commerce.Result) finding {
	switch {
	case r.Code == http.StatusBadRequest:
		return finding{fail, at + ": Shopify gives the app no access token: " + r.Detail, "install the app in the shop, and save its client ID and secret (Dev Dashboard, Settings) in client_id and client_secret_file; app and shop must belong to one organization"}
	case r.Code == http.StatusUnauthorized, r.Code == http.StatusForbidden:
		return finding{fail, at + ": the shop refuses the access token: " + r.Detail, "install the app in the shop, and save its Admin API access token in access_token_file"}
	case r.Code == http.StatusNotFound:
		return finding{fail, at + ": " + r.Detail, "correct domain (the one that ends in .myshopify.com) and api_version"}
	case r.Code == 0:
		return finding{fail, at + ": the shop does not answer: " + r.Detail, "check domain, the network and the firewall"}
	}
	return finding{fail, at + ": " + r.Detail, "see Shopify's status page, and run doctor again"}
}

func shopifyShopFindings(at string, s connections.Shopify, found shopify.Inspection) (out []finding) {
	if !strings.EqualFold(found.Domain, s.Domain) {
		out = append(out, finding{fail, fmt.Sprintf("%s: the access token is of %s, not of %s", at, found.Domain, s.Domain), "correct domain or access_token_file: webhooks of another shop are refused"})
	}
	missing := slices.DeleteFunc(shopify.Scopes(), func(scope string) bool { return slices.Contains(found.Scopes, scope) })
	if len(missing) > 0 {
		return append(out, finding{fail, at + ": the access token lacks the scopes " + strings.Join(missing, ", "), "add them to the app's scopes, release it, and install it again; a token of access_token_file is a new one then: save it"})
	}
	return append(out, finding{ok, at + ": the Admin API takes the access token, which may read and write orders", ""})
}

// Shopify serves a version for a year, and answers calls of an older one as the oldest that it serves.
const (
	apiVersionMonths = 12
	apiVersionNotice = 90 * 24 * time.Hour
)

// apiVersionFinding tells of a version that is not served any more, or not for long.
func apiVersionFinding(at, asked, answered string, now time.Time) finding {
	const advice = "read what has changed, set api_version to a newer one, and run doctor again"
	released, err := time.Parse("2006-01", asked)
	end := released.AddDate(0, apiVersionMonths, 0)
	switch {
	case err != nil:
		return finding{fail, fmt.Sprintf("%s.api_version: expected a version such as 2026-10, got %q", at, asked), "correct the connections file"}
	case answered != "" && answered != asked:
		return finding{fail, fmt.Sprintf("%s.api_version: Shopify answers %s as %s", at, asked, answered), advice}
	case !now.Before(end):
		return finding{fail, fmt.Sprintf("%s.api_version: %s is served until %s only", at, asked, end.Format(time.DateOnly)), advice}
	case end.Sub(now) < apiVersionNotice:
		return finding{warn, fmt.Sprintf("%s.api_version: %s is served until %s only", at, asked, end.Format(time.DateOnly)), advice}
	case released.After(now):
		return finding{warn, fmt.Sprintf("%s.api_version: %s is not released yet", at, asked), "set api_version to the newest that is: a candidate may still change"}
	}
	return finding{ok, fmt.Sprintf("%s.api_version: %s is served until %s", at, asked, end.Format(time.DateOnly)), ""}
}

// shopifyWebhookFindings compares the app's webhooks with those that the connection needs. A webhook that was made by hand in the
// shop's settings can't be seen.
func shopifyWebhookFindings(at string, urls []string, found shopify.Inspection) (out []finding) {
	var missing []string
	for _, topic := range shopify.Topics() {
		there, elsewhere := false, ""
		for _, s := range found.Subscriptions {
			switch {
			case s.Topic != topic:
			case isHook(s.Address, urls):
				there = true
			case seemsHook(s.Address, urls[0]):
				elsewhere = s.Address
			}
		}
		switch {
		case there:
		case elsewhere != "":
			out = append(out, finding{fail, fmt.Sprintf("%s: the webhook %s goes to %s", at, topic, elsewhere), "make one that goes to " + urls[0] + ", and remove that one"})
		default:
			missing = append(missing, topic)
		}
	}
	if len(missing) > 0 {
		out = append(out, finding{warn, fmt.Sprintf("%s: the app has no webhook to %s for %s", at, urls[0], strings.Join(missing, ", ")),
			"make them through the app; Shopify deletes one whose deliveries failed for 4 hours. If you made them in the shop's settings (Notifications, Webhooks), look there: they can't be seen from here, and their secret is the one shown there"})
	}
	if len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%s: the app's %d webhooks go to %s", at, len(shopify.Topics()), urls[0]), ""})
	}
	return out
}
