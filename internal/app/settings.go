package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/natsauth"
	"github.com/seqrflow/seqrflow/internal/secretfile"
	"github.com/seqrflow/seqrflow/internal/strictyaml"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Settings that every long-running command shares. A flag wins over the environment, the environment
// over the settings file.
type Settings struct {
	NATS                 string `name:"nats" env:"SEQRFLOW_NATS" default:"nats://127.0.0.1:4222" help:"The broker."`
	natsauth.Credentials `embed:""`
	Replicas             int `env:"SEQRFLOW_REPLICAS" default:"1" enum:"1,3" help:"Replicas of each stream: 1, or 3 on a cluster."`

	ProviderFlags   `embed:""`
	ProviderTest    bool   `env:"SEQRFLOW_PROVIDER_TEST" help:"The provider is a test system: links open the test version of the buyer's app."`
	ConnectionsFile string `env:"SEQRFLOW_CONNECTIONS_FILE" type:"path" help:"YAML file that says how the shops' own systems are joined. Without it none is."`

	Shops           []string      `env:"SEQRFLOW_SHOPS" help:"Take only these shops' messages. All unless given."`
	PollInterval    time.Duration `env:"SEQRFLOW_POLL_INTERVAL" default:"1s" help:"How often each open invoice's status is asked for (100ms to 5s)."`
	PollConcurrency int           `env:"SEQRFLOW_POLL_CONCURRENCY" default:"1024" help:"Status calls at once, at most (1 to 20000): open invoices × the provider's latency ÷ the poll interval are needed."`
	KeepSecond      bool          `name:"keep-second-payments" env:"SEQRFLOW_KEEP_SECOND_PAYMENTS" help:"Leave a second payment of the same order to a person instead of paying it back."`
	ValidFor        time.Duration `env:"SEQRFLOW_VALID_FOR" default:"15m" help:"How long a buyer may take when the order does not say."`
	ReceiptTemplate string        `env:"SEQRFLOW_RECEIPT_TEMPLATE" type:"path" help:"HTML template that replaces the built-in receipt."`
	NotifyURL       string        `env:"SEQRFLOW_NOTIFY_URL" help:"Where the provider reaches the gateway, e.g. https://pay.example.com. Without it the poller gets no hints."`
	ShopQuota       int           `name:"shop-quota" env:"SEQRFLOW_SHOP_QUOTA" default:"1024" help:"MiB of order events a day that the gateway takes from one shop's own account at the broker (0 to 1000000; 0: no quota)."`

	RecordExchanges bool `env:"SEQRFLOW_RECORD_EXCHANGES" help:"Keep every exchange with the provider for 30 days, secrets masked, for \"show --exchanges\"; polls that say ISSUED are left out."`

	HTTPListen       string   `name:"http-listen" env:"SEQRFLOW_HTTP_LISTEN" default:"127.0.0.1:8686" help:"Health and metrics."`
	GatewayListen    string   `name:"gateway-listen" env:"SEQRFLOW_GATEWAY_LISTEN" default:"127.0.0.1:8787" help:"The gateway: the provider's notifications, shops' systems, the HTTP API and buyers' pages."`
	GatewayPerMinute int      `name:"gateway-per-minute" env:"SEQRFLOW_GATEWAY_PER_MINUTE" default:"6000" help:"Requests a minute that the gateway answers for one address, and verified ones for one shop (1 to 1000000)."`
	GatewayProxies   []string `name:"gateway-proxies" env:"SEQRFLOW_GATEWAY_PROXIES" placeholder:"NETWORK" help:"Networks of the proxies before the gateway, such as 10.0.0.0/8: their X-Forwarded-For names the client. Without it the client is the address that connects."`

	LogLevel  string `env:"SEQRFLOW_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat string `env:"SEQRFLOW_LOG_FORMAT" default:"auto" enum:"auto,json,console" help:"json (then nothing but log records is printed), console, or auto: console on a terminal."`

	// ShopList is filled by LoadShops, or by a command that brings shops of its own.
	ShopList ShopList `kong:"-"`
	// Connections is filled by LoadConnections, or by a command that brings connections of its own.
	Connections connections.File `kong:"-"`
}

// LoadConnections reads the connections file, if one is named. It reads none of the secrets.
func (s *Settings) LoadConnections() (err error) {
	if s.ConnectionsFile == "" {
		return nil
	}
	if s.Connections, err = connections.Load(s.ConnectionsFile); err != nil {
		return fmt.Errorf("connections: %w", err)
	}
	return nil
}

// ProviderFlags say which provider is called, and as whom.
type ProviderFlags struct {
	Provider        string        `env:"SEQRFLOW_PROVIDER" default:"http://127.0.0.1:8585/extclientproxy/service/v2" help:"The provider's SOAP endpoint."`
	ProviderHTTP    bool          `name:"provider-http" env:"SEQRFLOW_PROVIDER_HTTP" help:"Allow http to a provider that is not on this machine (a sandbox on a private network)."`
	ProviderTimeout time.Duration `env:"SEQRFLOW_PROVIDER_TIMEOUT" default:"10s" help:"Longest wait for one answer of the provider."`
	ClientID        string        `env:"SEQRFLOW_CLIENT_ID" default:"seqrflow" help:"Your company's name, as the provider's certification asks for."`
	ClientReference string        `env:"SEQRFLOW_CLIENT_REFERENCE" default:"seqrflow" help:"Your system's name and version, at most 32 characters."`
	ShopsFile       string        `env:"SEQRFLOW_SHOPS_FILE" type:"path" help:"YAML file with the shops' credentials, if not under shops: in the settings file."`
}

// ClientConfig is the configuration of a client of the provider.
func (f ProviderFlags) ClientConfig() seqr.Config {
	return seqr.Config{Endpoint: f.Provider, AllowHTTP: f.ProviderHTTP, ClientID: f.ClientID, ClientReference: f.ClientReference, Timeout: f.ProviderTimeout}
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

	// EarlierTerminals are the terminals that the shop had before. They issued its older invoices, and only they can ask about,
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
	file := cmp.Or(shopsFile, settingsFile)
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
	if shopsFile == "" || shopsFile == settingsFile {
		err = shopsOfSettings(body, &f.Shops) // the rest of the file is flags
	} else {
		err = strictyaml.Decode(body, &f)
	}
	if err == nil && shopsFile != "" && len(f.Shops) == 0 {
		err = errors.New("the file names no shop under its key shops")
	}
	if err := errors.Join(err, f.Shops.resolve()); err != nil {
		return f.Shops, fmt.Errorf("shops: %s:\n%w", file, err)
	}
	return f.Shops, nil
}

// shopsOfSettings reads shops: of a settings file, which may have none.
func shopsOfSettings(body []byte, into *ShopList) error {
	var file struct {
		Shops yaml.Node `yaml:"shops"`
	}
	if err := yaml.Unmarshal(body, &file); err != nil {
		return strictyaml.Decode(body, &file) // its error shows no value
	} else if file.Shops.IsZero() {
		return nil
	}
	return strictyaml.DecodeNode("shops", &file.Shops, into)
}

// flagNames are what the fields of the client's configuration are called in settings.
var flagNames = strings.NewReplacer("seqr: Endpoint", "--provider", "seqr: ClientReference", "--client-reference", "AllowHTTP", "--provider-http")

// NewClient is [seqr.New]. Its error names the settings.
func NewClient(cfg seqr.Config) (*seqr.Client, error) {
	c, err := seqr.New(cfg)
	if err != nil {
		return nil, errors.New(flagNames.Replace(err.Error()))
	}
	return c, nil
}

var (
	errNoTerminal = errors.New("missing: expected the terminal's id at the provider")
	errNoPassword = errors.New("missing: expected the terminal's password, or password_file")
)

// resolve reads the secrets that are kept in files of their own, and checks every entry.
func (l ShopList) resolve() error {
	var errs []error
	if _, unnamed := l[""]; unnamed {
		errs = append(errs, errors.New(`shops: expected the ids of shops as keys, got ""`))
	}
	for _, id := range slices.Sorted(maps.Keys(l)) {
		s := l[id]
		wrong := func(is bool, key string, why error) {
			if is {
				errs = append(errs, fmt.Errorf("shops.%s.%s: %w", id, key, why))
			}
		}
		var err error
		s.Password, err = secret(s.Password, s.PasswordFile)
		wrong(err != nil, "password_file", err)
		s.ResellerPassword, err = secret(s.ResellerPassword, s.ResellerPasswordFile)
		wrong(err != nil, "reseller_password_file", err)
		wrong(s.Terminal == "", "terminal", errNoTerminal)
		wrong(s.Password == "" && s.PasswordFile == "", "password", errNoPassword)
		byReseller := s.Reseller != "" || s.ResellerUser != "" || s.ResellerPassword != "" || s.ResellerPasswordFile != ""
		wrong(byReseller && s.Reseller == "", "reseller", errors.New("missing: expected the reseller's id at the provider, or none of reseller, reseller_user and its password"))
		wrong(byReseller && s.ResellerUser == "", "reseller_user", errors.New("missing: expected the reseller's userId at the provider"))
		wrong(byReseller && s.ResellerPassword == "" && s.ResellerPasswordFile == "", "reseller_password", errors.New("missing: expected the password of the reseller's user, or reseller_password_file"))
		for i, e := range s.EarlierTerminals {
			s.EarlierTerminals[i].Password, err = secret(e.Password, e.PasswordFile)
			wrong(err != nil, fmt.Sprintf("earlier_terminals[%d].password_file", i), err)
			wrong(e.Terminal == "", fmt.Sprintf("earlier_terminals[%d].terminal", i), errNoTerminal)
			wrong(e.Password == "" && e.PasswordFile == "", fmt.Sprintf("earlier_terminals[%d].password", i), errNoPassword)
		}
		l[id] = s
	}
	return errors.Join(errs...)
}

func secret(given seqr.Secret, file string) (seqr.Secret, error) {
	switch {
	case file == "":
		return given, nil
	case given != "":
		return "", errors.New("the password is given as well: expected one of the two")
	}
	text, err := secretfile.Text(file)
	return seqr.Secret(text), err
}

// Validate reports every setting that is wrong, at once.
func (s Settings) Validate() error {
	var errs []error
	check := func(good bool, name, expected string, got any) {
		if text, is := got.(string); is {
			got = strconv.Quote(text)
		}
		if !good {
			errs = append(errs, fmt.Errorf("--%s: expected %s, got %v", name, expected, got))
		}
	}
	_, err := s.Credentials.Options()
	errs = append(errs, err)
	check(s.PollInterval >= 100*time.Millisecond && s.PollInterval <= 5*time.Second, "poll-interval", "100ms to 5s", s.PollInterval)
	check(s.PollConcurrency >= 0 && s.PollConcurrency <= 20000, "poll-concurrency", "1 to 20000", s.PollConcurrency)
	check(s.ValidFor >= time.Second && s.ValidFor <= 30*24*time.Hour, "valid-for", "1s to 720h", s.ValidFor)
	check(s.ShopQuota >= 0 && s.ShopQuota <= 1_000_000, "shop-quota", "0 to 1000000 MiB", s.ShopQuota)
	check(s.GatewayPerMinute >= 0 && s.GatewayPerMinute <= 1_000_000, "gateway-per-minute", "1 to 1000000", s.GatewayPerMinute)
	for _, network := range s.GatewayProxies {
		_, err := netip.ParsePrefix(network)
		check(err == nil, "gateway-proxies", "networks such as 10.0.0.0/8", network)
	}
	u, err := url.Parse(s.NotifyURL)
	check(s.NotifyURL == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "notify-url", "an http or https URL", s.NotifyURL)
	_, _, err = net.SplitHostPort(s.HTTPListen)
	check(err == nil, "http-listen", "host:port", s.HTTPListen)
	_, _, err = net.SplitHostPort(s.GatewayListen)
	check(err == nil, "gateway-listen", "host:port", s.GatewayListen)
	return errors.Join(errs...)
}
