package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/buildinfo"
	"github.com/seqrflow/seqrflow/internal/certify"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/secretfile"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type certifyCmd struct {
	Procedure string `default:"webshop" enum:"webshop,pos" help:"webshop (6 tests), or pos: a point of sale with a terminal of its own (9 tests)."`
	Out       string `type:"path" placeholder:"DIR" help:"Keep the evidence here: report.html, report.json, every exchange as XML."`
	JSON      bool   `name:"json" help:"Print nothing but the result, as one JSON object; what a person has to do goes to standard error."`

	ClientID        *string `env:"SEQRFLOW_CLIENT_ID" placeholder:"NAME" help:"Your company's name, as certification asks for."`
	ClientReference *string `env:"SEQRFLOW_CLIENT_REFERENCE" placeholder:"TEXT" help:"Your system's name and version, at most 32 characters; this program's unless given."`

	Endpoint  string        `placeholder:"URL" help:"The provider's SOAP endpoint. Without it a sandbox of its own is certified against."`
	AllowHTTP bool          `name:"allow-http" help:"Allow http to an endpoint that is not on this machine."`
	Patience  time.Duration `help:"How long to wait for one step, a person's included; 10m with --endpoint, else 30s."`
	Currency  string        `default:"SEK" placeholder:"CODE" help:"Of the invoices; each is over 2 (${default})."`
	SeqrID    string        `name:"seqr-id" placeholder:"ID" help:"Of the code that stands on the till, for pos."`

	certifyAccounts
}

// certifyAccounts are the credentials at the endpoint: from the settings of a shop, or given singly.
type certifyAccounts struct {
	Shop      string `placeholder:"ID" help:"Take the credentials of this shop from the shops file."`
	ShopsFile string `env:"SEQRFLOW_SHOPS_FILE" type:"path" placeholder:"FILE" help:"YAML file with the shops' credentials, if not under shops: in the settings file."`

	Terminal     string `env:"SEQRFLOW_TERMINAL" placeholder:"ID" help:"The webshop's terminal."`
	Password     string `env:"SEQRFLOW_TERMINAL_PASSWORD" placeholder:"TEXT" help:"Its password; better by the environment or by file."`
	PasswordFile string `env:"SEQRFLOW_TERMINAL_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File with its password."`

	Reseller             string `env:"SEQRFLOW_RESELLER" placeholder:"ID" help:"Registers terminals and closes periods; a webshop's terminal can close its own."`
	ResellerUser         string `env:"SEQRFLOW_RESELLER_USER" placeholder:"USER" help:"The reseller's user, e.g. 9900."`
	ResellerPassword     string `env:"SEQRFLOW_RESELLER_PASSWORD" placeholder:"TEXT" help:"The user's password; better by the environment or by file."`
	ResellerPasswordFile string `env:"SEQRFLOW_RESELLER_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File with the user's password."`
}

func (certifyCmd) Help() string {
	return `Goes through the provider's certification procedure: the workers run as in production and answer order events, and what they send is checked on the wire. Exit code 0 only if every test passed.

Without --endpoint it needs nothing and takes seconds: it starts a sandbox, plays the buyer, and moves the sandbox's clock instead of waiting. With --endpoint it shows each QR code, asks you to scan and pay it or to leave it, and really waits. The invoices are paid with real money where the provider's is real.

Examples:

    seqrflow certify --out ./evidence
    seqrflow certify --procedure pos --json
    seqrflow certify --endpoint https://test.seqr.example/extclientproxy/service/v2 --client-id "Company Name" \
        --terminal 87e791f9e24148a6892c52aa85bb0331 --password-file ./password --out ./evidence`
}

func (x certifyCmd) Run(c *console) error {
	cfg, err := x.config(c)
	if err != nil {
		return err
	}
	if x.Out != "" {
		if err := certify.Prepare(x.Out); err != nil {
			return fmt.Errorf("the evidence cannot be written: %w", err)
		}
	}
	report, err := certify.Run(c.ctx, cfg)
	var wrong *certify.SettingsError
	switch {
	case errors.As(err, &wrong):
		return usageError{err}
	case err != nil:
		return err
	}
	if x.Out != "" {
		if err := report.Write(x.Out); err != nil {
			return fmt.Errorf("the evidence cannot be written: %w", err)
		}
	}
	return c.report(report.Result, x.JSON, report.Passed, func() { x.conclude(c, report) })
}

func (x certifyCmd) config(c *console) (certify.Config, error) {
	build := buildinfo.Read()
	cfg := certify.Config{
		Procedure: certify.Procedure(x.Procedure), ClientID: "seqrflow", ClientReference: fmt.Sprintf("%.32s", "seqrflow "+build.Version),
		Program:  strings.TrimSpace("seqrflow " + build.Version + " " + build.Commit()),
		Patience: x.Patience, Log: zerolog.New(c.err).Level(zerolog.ErrorLevel), Provider: certify.Provider{Currency: x.Currency},
	}
	if x.Endpoint != "" {
		cfg.ClientID = "" // has to be said to a provider
	}
	if x.ClientID != nil {
		cfg.ClientID = *x.ClientID
	}
	if x.ClientReference != nil {
		cfg.ClientReference = *x.ClientReference
	}
	if x.Patience < 0 {
		return cfg, wrongUsage("--patience: must not be negative")
	}
	talk := *c
	if x.JSON {
		talk.out, talk.terminal, talk.lines.Paint = c.err, term.IsTerminal(c.err), term.PaintFor(c.err)
	}
	if !x.JSON || x.Endpoint != "" {
		cfg.Observer = certifyProgress{&talk}
	}
	if x.Endpoint == "" {
		return cfg, nil
	}
	cfg.Buyer = person{&talk}
	return cfg, x.provider(c, &cfg)
}

func (x certifyCmd) provider(c *console, cfg *certify.Config) error {
	s, err := x.account(c)
	if err != nil {
		return err
	}
	cfg.Provider.Endpoint, cfg.Provider.AllowHTTP, cfg.Provider.SeqrID = x.Endpoint, x.AllowHTTP, x.SeqrID
	cfg.Provider.Terminal = seqr.Terminal(s.Terminal, s.Password)
	if s.Reseller != "" {
		cfg.Provider.Reseller = seqr.ResellerUser(s.Reseller, s.ResellerUser, s.ResellerPassword)
	}
	return nil
}

// account takes what is given singly over what the shops file says.
func (a certifyAccounts) account(c *console) (app.Shop, error) {
	var s app.Shop
	if a.Shop != "" {
		shops, err := c.shops(a.ShopsFile)
		if err != nil {
			return s, err
		}
		var ok bool
		if s, ok = shops.Of(a.Shop); !ok {
			return s, wrongUsage("--shop: no credentials for %q in the settings", a.Shop)
		}
	}
	s.Terminal, s.Reseller, s.ResellerUser = cmp.Or(a.Terminal, s.Terminal), cmp.Or(a.Reseller, s.Reseller), cmp.Or(a.ResellerUser, s.ResellerUser)
	var errs [2]error
	s.Password, errs[0] = secretOf("password-file", a.PasswordFile, a.Password, s.Password)
	s.ResellerPassword, errs[1] = secretOf("reseller-password-file", a.ResellerPasswordFile, a.ResellerPassword, s.ResellerPassword)
	return s, errors.Join(errs[:]...)
}

// secretOf takes the text of the flag's file over what is given, and that over the shops file's.
func secretOf(flag, file, given string, known seqr.Secret) (seqr.Secret, error) {
	if file == "" {
		return cmp.Or(seqr.Secret(given), known), nil
	}
	text, err := secretfile.Text(file)
	if err != nil {
		return "", wrongUsage("--%s: %w", flag, err)
	}
	return seqr.Secret(text), nil
}

func (x certifyCmd) conclude(c *console, r certify.Report) {
	passed := 0
	for _, t := range r.Tests {
		if t.Passed {
			passed++
		}
	}
	verdict := c.paint().In(term.Green, "Passed.")
	if !r.Passed {
		verdict = c.paint().In(term.Red, "Failed.")
	}
	c.say("\n%s %d of %d tests passed, %d calls, %.1f s.", verdict, passed, len(r.Tests), len(r.Exchanges), r.Ended.Sub(r.Started).Seconds())
	if x.Out != "" {
		c.say("Evidence: %s", filepath.Join(x.Out, "report.html"))
	}
}
