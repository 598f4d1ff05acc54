package cli

import (
	"fmt"
	"slices"

	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/pkg/commerce/webhook"
)

// connectionSecret is one secret of a connection, as the process that reads it does.
type connectionSecret struct {
	path  string // in the connections file
	files connections.SecretFiles
	by    string               // the processes that read it
	check func([]string) error // what else they check; nil for nothing
}

// findings is what is wrong with it.
func (s connectionSecret) findings() []finding {
	secrets, err := s.files.Read()
	if err == nil && s.check != nil {
		err = s.check(secrets)
	}
	if err != nil {
		return []finding{{fail, s.path + ": " + err.Error(), "mend the file: " + s.by + " will not start without it"}}
	}
	return nil
}

// secretFindings reads all secrets of a connection.
func secretFindings(at string, c connections.Connection) (out []finding) {
	secrets := secretsOf(at, c)
	for _, s := range secrets {
		out = append(out, s.findings()...)
	}
	if n := len(secrets); n > 0 && len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%s: %d secrets can be read", at, n), ""})
	}
	return out
}

func secretsOf(at string, c connections.Connection) (all []connectionSecret) {
	add := func(path string, files connections.SecretFiles, by string, check func([]string) error) {
		all = append(all, connectionSecret{at + "." + path, files, by, check})
	}
	if len(c.APIToken) > 0 {
		add("api_token_file", c.APIToken, "the gateway", longEnough(orderapi.MinToken))
	}
	if w := c.WooCommerce; w != nil {
		add("woocommerce.webhook_secret_file", w.WebhookSecret, "the gateway", nil)
		add("woocommerce.consumer_key_file", w.ConsumerKey, "the gateway or the notifier", nil)
		add("woocommerce.consumer_secret_file", w.ConsumerSecret, "the gateway or the notifier", nil)
	}
	if s := c.Shopify; s != nil {
		add("shopify.webhook_secret_file", s.WebhookSecret, "the gateway", nil)
		if s.ClientID != "" {
			add("shopify.client_secret_file", s.ClientSecret, "the notifier", nil)
		} else {
			add("shopify.access_token_file", s.AccessToken, "the notifier", nil)
		}
	}
	if c.Events != nil {
		add("events.secret_files", c.Events.Secrets, "the gateway", func(secrets []string) error {
			_, err := webhook.NewInbound(secrets)
			return err
		})
	}
	for _, w := range c.Webhooks {
		add("webhooks."+w.Name+".secret_files", w.Secrets, "the notifier", func(secrets []string) error {
			_, err := webhook.NewOutbound(webhook.OutboundConfig{URL: w.URL, Secrets: secrets})
			return err
		})
	}
	return all
}

// checkoutFindings reads the keys of the checkout pages, and the shops' logos.
func (k connectionCheck) checkoutFindings() (out []finding) {
	if k.Checkout.BaseURL == "" {
		return nil
	}
	out = connectionSecret{"checkout.key_file", k.Checkout.Key, "the gateway", longEnough(checkout.MinKey)}.findings()
	if _, err := checkout.Settings(k.File); err != nil && len(out) == 0 {
		out = append(out, finding{fail, err.Error(), "mend the file: the gateway will not start without it"})
	}
	return out
}

func longEnough(least int) func([]string) error {
	return func(secrets []string) error {
		if slices.ContainsFunc(secrets, func(s string) bool { return len(s) < least }) {
			return fmt.Errorf("expected at least %d characters", least)
		}
		return nil
	}
}

// firstOf gives the secret that calls are made with, "" if it can't be read.
func firstOf(f connections.SecretFiles) string {
	secrets, err := f.Read()
	if err != nil {
		return ""
	}
	return secrets[0]
}
