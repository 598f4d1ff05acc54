// Package connections reads connections.yaml: how the systems of the shops are joined to seqrflow.
//
//	connections.go  the file, its checks, and the secrets, which are read only when a process asks for them
//	endpoint.go     what an address of a shop's system may be
//
// A process reads the secrets that it needs and no others: the gateway those that requests are checked with, the notifier those
// that it calls the shops with.
package connections

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/seqrflow/seqrflow/internal/secretfile"
	"github.com/seqrflow/seqrflow/internal/strictyaml"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// File is connections.yaml.
type File struct {
	Connections map[string]Connection `yaml:"connections"` // by the shop's id
	Checkout    Checkout              `yaml:"checkout"`
}

// Connection is how one shop's systems are joined.
type Connection struct {
	WooCommerce *WooCommerce `yaml:"woocommerce"`
	Shopify     *Shopify     `yaml:"shopify"`
	Events      *Events      `yaml:"events"`
	APIToken    SecretFiles  `yaml:"api_token_file"`
	Webhooks    []Webhook    `yaml:"webhooks"`
	Page        Page         `yaml:"page"`
}

// WooCommerce is a shop of WooCommerce.
type WooCommerce struct {
	URL            string      `yaml:"url"`             // of the site, without /wp-json
	PaymentMethods []string    `yaml:"payment_methods"` // ids of the gateways whose orders are paid by SEQR
	WebhookSecret  SecretFiles `yaml:"webhook_secret_file"`
	ConsumerKey    SecretFiles `yaml:"consumer_key_file"`
	ConsumerSecret SecretFiles `yaml:"consumer_secret_file"`
	AllowPrivate   bool        `yaml:"allow_private"` // URL may name an address of a private network
}

// Shopify is a shop of Shopify.
type Shopify struct {
	Domain        string      `yaml:"domain"`
	URL           string      `yaml:"url"`      // of the Admin API, if not https://<domain>; for stand-ins
	Gateways      []string    `yaml:"gateways"` // names of the payment gateways whose orders are paid by SEQR
	APIVersion    string      `yaml:"api_version"`
	WebhookSecret SecretFiles `yaml:"webhook_secret_file"`
	AccessToken   SecretFiles `yaml:"access_token_file"`  // one that stays; or else ClientID and ClientSecret
	ClientID      string      `yaml:"client_id"`          // of an app of Shopify's Dev Dashboard, which has no token that stays
	ClientSecret  SecretFiles `yaml:"client_secret_file"` // of that app
	Presentment   bool        `yaml:"presentment"`        // take the buyer's currency where it differs from the shop's
	AllowPrivate  bool        `yaml:"allow_private"`
}

// Events is a sender of CloudEvents, signed as Standard Webhooks.
type Events struct {
	Secrets SecretFiles `yaml:"secret_files"`
}

// Webhook is a destination that is told what happens to the shop's invoices.
type Webhook struct {
	Name         string        `yaml:"name"`
	URL          string        `yaml:"url"`
	Secrets      SecretFiles   `yaml:"secret_files"`
	Events       []events.Name `yaml:"events"`   // all unless given
	Disabled     bool          `yaml:"disabled"` // nothing is sent, and everything is kept
	AllowPrivate bool          `yaml:"allow_private"`
}

// Page is how the shop looks on the checkout page.
type Page struct {
	Name      string   `yaml:"name"`       // the shop's id unless given
	Logo      string   `yaml:"logo_file"`  // an SVG or PNG of at most 256 KiB
	Colour    string   `yaml:"colour"`     // #rrggbb, of buttons
	ReturnURL string   `yaml:"return_url"` // back to the shop; {order} and {key} stand for the order's id and the key in the page's URL
	FramedBy  []string `yaml:"framed_by"`  // origins, such as https://shop.example, whose pages may show it in a frame
}

// Checkout is what all checkout pages share.
type Checkout struct {
	BaseURL string      `yaml:"base_url"` // where buyers reach the gateway, without /pay
	Key     SecretFiles `yaml:"key_file"` // at least 32 characters
}

// SecretFiles are the files of a secret: one, or a new and an old one while the secret is replaced.
type SecretFiles []string

// UnmarshalYAML reads the name of one file, or a list of them.
func (f *SecretFiles) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		var name string
		err := n.Decode(&name)
		*f = SecretFiles{name}
		return err
	}
	return n.Decode((*[]string)(f))
}

// ExpectedYAML says what a file must have instead of something else.
func (SecretFiles) ExpectedYAML() string { return "the name of a file, or a list of names" }

// Read gives the secrets, in the order of the files. A blank before or after one is an error: it is not seen, and HTTP and shops'
// systems take it away. The error never has any of the secrets.
func (f SecretFiles) Read() ([]string, error) {
	if len(f) == 0 {
		return nil, errors.New("missing: expected the name of a file")
	}
	var secrets []string
	for _, name := range f {
		s, err := secretfile.Text(name)
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(s) != s {
			return nil, fmt.Errorf("%s has a blank before or after the secret: remove it", name)
		}
		secrets = append(secrets, s)
	}
	return secrets, nil
}

// Load reads and checks the file, but none of the secrets. All errors are reported at once, each with its path in the file.
func Load(name string) (File, error) {
	body, err := secretfile.Read(name)
	if err != nil {
		return File{}, err
	}
	var f File
	unread := strictyaml.Decode(body, &f)
	if err := errors.Join(unread, f.validate().except(unread)); err != nil {
		return f, fmt.Errorf("%s:\n%w", name, err)
	}
	return f, nil
}

// Shops gives the ids of the shops that have a connection, sorted.
func (f File) Shops() []string { return slices.Sorted(maps.Keys(f.Connections)) }

// Of finds a shop's connection by the shop's id or its subject token.
func (f File) Of(shop string) (id string, c Connection, ok bool) {
	if c, ok = f.Connections[shop]; ok {
		return shop, c, true
	}
	for id, c := range f.Connections {
		if events.Token(id) == shop {
			return id, c, true
		}
	}
	return "", Connection{}, false
}

// Destinations gives the names of what the notifier tells about the shop's invoices: "woocommerce", "shopify", and the names of
// the webhooks. They are subject tokens.
func (c Connection) Destinations() (names []string) {
	if c.WooCommerce != nil {
		names = append(names, "woocommerce")
	}
	if c.Shopify != nil {
		names = append(names, "shopify")
	}
	for _, w := range c.Webhooks {
		names = append(names, w.Name)
	}
	return names
}

// TakesHooks says whether a system of the shop sends to the gateway.
func (c Connection) TakesHooks() bool {
	return c.WooCommerce != nil || c.Shopify != nil || c.Events != nil
}

// Disabled says whether nothing is sent to the destination for now.
func (c Connection) Disabled(destination string) bool {
	return slices.ContainsFunc(c.Webhooks, func(w Webhook) bool { return w.Name == destination && w.Disabled })
}

var (
	domain     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*\.[a-z]{2,}$`)
	apiVersion = regexp.MustCompile(`^\d{4}-(01|04|07|10)$`)
	colour     = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	braced     = regexp.MustCompile(`\{[^{}]*\}`)
)

// problem is an error of the value at a path.
type problem struct{ path, text string }

func (p problem) Error() string { return p.path + ": " + p.text }

// problems collects errors by their paths.
type problems []problem

func (ps *problems) note(path, format string, args ...any) {
	*ps = append(*ps, problem{path, fmt.Sprintf(format, args...)})
}

// except joins the problems but those of values that could not be read, whose errors are in unread: such a value is not missing.
func (ps problems) except(unread error) error {
	var said []string
	if unread != nil {
		said = strings.Split(unread.Error(), "\n")
	}
	var errs []error
	for _, p := range ps {
		if !slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, p.path+": ") }) {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

func (ps *problems) check(path string, err error) {
	if err != nil {
		ps.note(path, "%s", err)
	}
}

func (ps *problems) endpoint(path, raw string) { ps.check(path, commerce.CheckEndpoint(raw)) }

// names checks a list that must name something.
func (ps *problems) names(path string, names []string, missing string) {
	if len(names) == 0 {
		ps.note(path, "missing: %s", missing)
	}
	if i := slices.Index(names, ""); i >= 0 {
		ps.note(fmt.Sprintf("%s[%d]", path, i), "empty: %s", missing)
	}
}

func (ps *problems) files(path string, f SecretFiles) {
	if len(f) == 0 || slices.Contains(f, "") {
		ps.note(path, "missing: expected the name of a file")
	}
}

func (f File) validate() (ps problems) {
	for _, id := range f.Shops() {
		if id == "" {
			ps.note("connections", `expected the ids of shops as keys, got ""`)
		}
		f.Connections[id].validate(&ps, "connections."+id)
	}
	if f.Checkout.BaseURL != "" || len(f.Checkout.Key) > 0 {
		ps.check("checkout.base_url", checkBase(f.Checkout.BaseURL))
		ps.files("checkout.key_file", f.Checkout.Key)
	}
	return ps
}

func (c Connection) validate(ps *problems, path string) {
	if w := c.WooCommerce; w != nil {
		ps.check(path+".woocommerce.url", checkSite(w.URL))
		ps.files(path+".woocommerce.webhook_secret_file", w.WebhookSecret)
		ps.files(path+".woocommerce.consumer_key_file", w.ConsumerKey)
		ps.files(path+".woocommerce.consumer_secret_file", w.ConsumerSecret)
		ps.names(path+".woocommerce.payment_methods", w.PaymentMethods, "expected the ids of the payment methods whose orders are paid by SEQR, such as [cheque]")
	}
	if s := c.Shopify; s != nil {
		c.validateShopify(ps, path+".shopify", *s)
	}
	if c.Events != nil {
		ps.files(path+".events.secret_files", c.Events.Secrets)
	}
	names := []string{"woocommerce", "shopify"}
	for i, w := range c.Webhooks {
		path := fmt.Sprintf("%s.webhooks[%d]", path, i)
		switch {
		case !events.IsToken(w.Name):
			ps.note(path+".name", "expected 1 to 64 of A-Z a-z 0-9 _ -, got %q", w.Name)
		case slices.Contains(names, w.Name):
			ps.note(path+".name", "%q is the name of another destination of this shop", w.Name)
		}
		names = append(names, w.Name)
		ps.endpoint(path+".url", w.URL)
		ps.files(path+".secret_files", w.Secrets)
		for j, e := range w.Events {
			if !slices.Contains(events.Names(), e) {
				ps.note(fmt.Sprintf("%s.events[%d]", path, j), "no such event: %q; there are %s", e, EventNames())
			}
		}
	}
	c.Page.validate(ps, path+".page")
}

func (Connection) validateShopify(ps *problems, path string, s Shopify) {
	if !domain.MatchString(s.Domain) {
		ps.note(path+".domain", "expected a domain such as shop.myshopify.com, got %q", s.Domain)
	}
	if s.URL != "" {
		ps.endpoint(path+".url", s.URL)
	}
	if !apiVersion.MatchString(s.APIVersion) {
		ps.note(path+".api_version", "expected a version such as 2026-10, got %q", s.APIVersion)
	}
	ps.names(path+".gateways", s.Gateways, "expected the names of the payment methods whose orders are paid by SEQR, such as [SEQR]")
	ps.files(path+".webhook_secret_file", s.WebhookSecret)
	switch byApp := s.ClientID != "" || len(s.ClientSecret) > 0; {
	case byApp && len(s.AccessToken) > 0:
		ps.note(path+".access_token_file", "expected either a token or client_id and client_secret_file")
	case byApp && s.ClientID == "":
		ps.note(path+".client_id", "missing: expected the app's client ID")
	case byApp:
		ps.files(path+".client_secret_file", s.ClientSecret)
	default:
		ps.files(path+".access_token_file", s.AccessToken)
	}
}

func (p Page) validate(ps *problems, path string) {
	if p.Colour != "" && !colour.MatchString(p.Colour) {
		ps.note(path+".colour", "expected #rrggbb, got %q", p.Colour)
	}
	if p.ReturnURL != "" {
		filled := strings.NewReplacer("{order}", "1", "{key}", "1").Replace(p.ReturnURL)
		if other := braced.FindString(filled); other != "" {
			ps.note(path+".return_url", "%q stands for nothing: there are {order} and {key}", other)
		} else if i := strings.IndexAny(filled, "{}"); i >= 0 {
			ps.note(path+".return_url", "%q is not closed or not opened: there are {order} and {key}", filled[i:i+1])
		}
		ps.endpoint(path+".return_url", filled)
	}
	for i, origin := range p.FramedBy {
		if err := CheckOrigin(origin); err != nil {
			ps.note(fmt.Sprintf("%s.framed_by[%d]", path, i), "%s", err)
		}
	}
}

// EventNames are the events of an invoice as a list in words.
func EventNames() string {
	var names []string
	for _, n := range events.Names() {
		names = append(names, string(n))
	}
	return strings.Join(names, ", ")
}
