package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seqrflow/seqrflow/internal/natsauth"
	"github.com/seqrflow/seqrflow/internal/secretfile"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Settings that every long-running command shares. A flag wins over the environment, the environment
// over the settings file.
type Settings struct {
	NATS                 string `name:"nats" env:"SEQRFLOW_NATS" default:"nats://127.0.0.1:4222" help:"The broker."`
	natsauth.Credentials `embed:""`
	Replicas             int `env:"SEQRFLOW_REPLICAS" default:"1" enum:"1,3" help:"Replicas of each stream: 1, or 3 on a cluster."`

	Provider        string        `env:"SEQRFLOW_PROVIDER" default:"http://127.0.0.1:8585/extclientproxy/service/v2" help:"The provider's SOAP endpoint."`
	ProviderHTTP    bool          `name:"provider-http" env:"SEQRFLOW_PROVIDER_HTTP" help:"Allow http to a provider that is not on this machine (a sandbox on a private network)."`
	ProviderTest    bool          `env:"SEQRFLOW_PROVIDER_TEST" help:"The provider is a test system: links open the test version of the buyer's app."`
	ProviderTimeout time.Duration `env:"SEQRFLOW_PROVIDER_TIMEOUT" default:"10s" help:"Longest wait for one answer of the provider."`
	ClientID        string        `env:"SEQRFLOW_CLIENT_ID" default:"seqrflow" help:"Your company's name, as the provider's certification asks for."`
	ClientReference string        `env:"SEQRFLOW_CLIENT_REFERENCE" default:"seqrflow" help:"Your system's name and version, at most 32 characters."`
	ShopsFile       string        `env:"SEQRFLOW_SHOPS_FILE" type:"path" help:"YAML file with the shops' credentials, if not under shops: in the settings file."`

	Shops           []string      `env:"SEQRFLOW_SHOPS" help:"Take only these shops' messages. All unless given."`
	PollInterval    time.Duration `env:"SEQRFLOW_POLL_INTERVAL" default:"1s" help:"How often each open invoice's status is asked for (100ms to 5s)."`
	PollConcurrency int           `env:"SEQRFLOW_POLL_CONCURRENCY" default:"1024" help:"Status calls at once, at most (1 to 20000): open invoices × the provider's latency ÷ the poll interval are needed."`
	KeepSecond      bool          `name:"keep-second-payments" env:"SEQRFLOW_KEEP_SECOND_PAYMENTS" help:"Leave a second payment of the same order to a person instead of paying it back."`
	ValidFor        time.Duration `env:"SEQRFLOW_VALID_FOR" default:"15m" help:"How long a buyer may take when the order does not say."`
	ReceiptTemplate string        `env:"SEQRFLOW_RECEIPT_TEMPLATE" type:"path" help:"HTML template that replaces the built-in receipt."`
	NotifyURL       string        `env:"SEQRFLOW_NOTIFY_URL" help:"Where the provider reaches the gateway, e.g. https://pay.example.com. Without it the poller gets no hints."`
	ShopQuota       int           `name:"shop-quota" env:"SEQRFLOW_SHOP_QUOTA" default:"1024" help:"MiB of order events a day that the gateway takes from one shop's own account at the broker (0 to 1000000; 0: no quota)."`

	RecordExchanges bool `env:"SEQRFLOW_RECORD_EXCHANGES" help:"Keep every exchange with the provider for 30 days, secrets masked, for \"show --exchanges\"; polls that say ISSUED are left out."`

	HTTPListen    string `name:"http-listen" env:"SEQRFLOW_HTTP_LISTEN" default:"127.0.0.1:8686" help:"Health and metrics."`
	GatewayListen string `name:"gateway-listen" env:"SEQRFLOW_GATEWAY_LISTEN" default:"127.0.0.1:8787" help:"The gateway, for the provider's notifications."`

	LogLevel  string `env:"SEQRFLOW_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat string `env:"SEQRFLOW_LOG_FORMAT" default:"auto" enum:"auto,json,console" help:"json (then nothing but log records is printed), console, or auto: console on a terminal."`

	// ShopList is filled by LoadShops, or by a command that brings shops of its own.
	ShopList ShopList `kong:"-"`
}

// AnyShop is the entry of a shop list that serves every shop without one of its own.
const AnyShop = "*"

// Shop is one shop's credentials at the provider.
type Shop struct {
	Terminal     string      `yaml:"terminal"`
	Password     seqr.Secret `yaml:"password"`
	PasswordFile string      `yaml:"password_file"`

	Reseller             string      `yaml:"reseller"`
	ResellerUser         string      `yaml:"reseller_user"`
	ResellerPassword     seqr.Secret `yaml:"reseller_password"`
	ResellerPasswordFile string      `yaml:"reseller_password_file"`

	// EarlierTerminals are those that the shop had before: its older invoices are theirs, and only they can ask about,
	// cancel or refund them.
	EarlierTerminals []EarlierTerminal `yaml:"earlier_terminals"`
}

// EarlierTerminal is a terminal that issues nothing new.
type EarlierTerminal struct {
	Terminal     string      `yaml:"terminal"`
	Password     seqr.Secret `yaml:"password"`
	PasswordFile string      `yaml:"password_file"`
}

// ShopList is the shops by the ids that orders name them by.
type ShopList map[string]Shop

// LoadShops reads the shops' credentials from the shops file, or from shops: in the settings file.
func LoadShops(shopsFile, settingsFile string) (ShopList, error) {
	file := shopsFile
	if file == "" {
		file = settingsFile
	}
	if file == "" {
		return nil, nil
	}
	body, err := secretfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("shops: %w", err)
	}
	var f struct {
		Shops ShopList `yaml:"shops"`
	}
	if err := yaml.Unmarshal(body, &f); err != nil {
		return nil, fmt.Errorf("shops: %s: %s", file, quoted.ReplaceAllString(err.Error(), ""))
	}
	errs := append(unknownShopKeys(body, shopsFile == "" || shopsFile == settingsFile), f.Shops.resolve())
	if shopsFile != "" && len(f.Shops) == 0 {
		errs = append(errs, errors.New("the file names no shop under its key shops"))
	}
	if err := errors.Join(errs...); err != nil {
		return f.Shops, fmt.Errorf("shops: %s:\n%w", file, err)
	}
	return f.Shops, nil
}

// quoted is a value that a YAML error quotes, which may be a password.
var quoted = regexp.MustCompile(" `[^`]*`?")

// resolve reads the secrets that are kept in files of their own, and checks every entry.
func (l ShopList) resolve() error {
	var errs []error
	for id, s := range l {
		var err error
		if s.Password, err = secret(s.Password, s.PasswordFile); err != nil {
			errs = append(errs, fmt.Errorf("shops.%s.password_file: %w", id, err))
		}
		if s.ResellerPassword, err = secret(s.ResellerPassword, s.ResellerPasswordFile); err != nil {
			errs = append(errs, fmt.Errorf("shops.%s.reseller_password_file: %w", id, err))
		}
		if s.Terminal == "" {
			errs = append(errs, fmt.Errorf("shops.%s.terminal: missing", id))
		}
		if s.Password == "" && s.PasswordFile == "" {
			errs = append(errs, fmt.Errorf("shops.%s.password: missing (or give password_file)", id))
		}
		for i, e := range s.EarlierTerminals {
			var err error
			if s.EarlierTerminals[i].Password, err = secret(e.Password, e.PasswordFile); err != nil {
				errs = append(errs, fmt.Errorf("shops.%s.earlier_terminals[%d].password_file: %w", id, i, err))
			}
			if e.Terminal == "" {
				errs = append(errs, fmt.Errorf("shops.%s.earlier_terminals[%d].terminal: missing", id, i))
			}
		}
		l[id] = s
	}
	return errors.Join(errs...)
}

func secret(given seqr.Secret, file string) (seqr.Secret, error) {
	if file == "" {
		return given, nil
	}
	text, err := secretfile.Text(file)
	return seqr.Secret(text), err
}

// Validate reports every setting that is wrong, at once.
func (s Settings) Validate() error {
	var errs []error
	wrong := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf("--%s: %s", name, fmt.Sprintf(format, args...)))
	}
	if _, err := s.Credentials.Options(); err != nil {
		errs = append(errs, err)
	}
	if s.PollInterval < 100*time.Millisecond || s.PollInterval > 5*time.Second {
		wrong("poll-interval", "expected 100ms to 5s, got %s", s.PollInterval)
	}
	if s.PollConcurrency < 0 || s.PollConcurrency > 20000 {
		wrong("poll-concurrency", "expected 1 to 20000, got %d", s.PollConcurrency)
	}
	if s.ValidFor < time.Second || s.ValidFor > 30*24*time.Hour {
		wrong("valid-for", "expected 1s to 720h, got %s", s.ValidFor)
	}
	if s.ShopQuota < 0 || s.ShopQuota > 1_000_000 {
		wrong("shop-quota", "expected 0 to 1000000 MiB, got %d", s.ShopQuota)
	}
	if s.NotifyURL != "" {
		if u, err := url.Parse(s.NotifyURL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			wrong("notify-url", "expected an http or https URL, got %q", s.NotifyURL)
		}
	}
	for name, listen := range map[string]string{"http-listen": s.HTTPListen, "gateway-listen": s.GatewayListen} {
		if _, _, err := net.SplitHostPort(listen); err != nil {
			wrong(name, "expected host:port, got %q", listen)
		}
	}
	return errors.Join(errs...)
}
