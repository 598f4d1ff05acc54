package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type doctorCmd struct {
	app.Settings `embed:""`
	JSON         bool `name:"json" help:"One JSON object per finding."`
}

func (doctorCmd) Help() string {
	return `Checks the settings, shops, broker, streams, clock, provider, parked messages, and consumers whose messages no worker takes. It checks each connection of --connections-file: secrets, the gateway's public address, the shop's REST or GraphQL API, its webhooks, and the destinations of ours. It needs to read the secrets for that, and sends the gateway a signed webhook that asks for nothing. It also looks for money at risk: open invoices that no poller watches, refunds in doubt, periods that differ or are overdue, payments that may have been reversed, and a broker that refuses writes. It changes nothing but some KiB on PROBES. Each line: ok, warn or fail, what, and how to mend it. Exit code 1 when something fails.

Example:

    seqrflow --config seqrflow.yaml doctor`
}

// finding is one thing that was looked at.
type finding struct {
	Level level  `json:"level"`
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"`
}

type level string

const (
	ok   level = "ok"
	warn level = "warn"
	fail level = "fail"
)

func (d doctorCmd) Run(c *console) error {
	findings, shops := d.settingsFindings(c)
	findings = append(findings, d.providerFindings(c, shops)...)
	findings = append(findings, connectionCheck{d.Connections, shops, d.NotifyURL, time.Now}.findings(c.ctx)...)
	findings = append(findings, d.brokerFindings(c)...)
	failed := false
	for _, f := range findings {
		failed = failed || f.Level == fail
		if d.JSON {
			if err := c.json(f); err != nil {
				return err
			}
			continue
		}
		c.finding(f)
	}
	if failed {
		return errReported
	}
	return nil
}

func (c *console) finding(f finding) {
	colour := map[level]term.Colour{ok: term.Green, warn: term.Yellow, fail: term.Red}[f.Level]
	line := c.paint().In(colour, term.Pad(string(f.Level), 4)) + "  " + term.Clean(strings.ReplaceAll(f.What, "\n", "; "))
	if f.Mend != "" {
		line += " — " + term.Clean(f.Mend)
	}
	c.say("%s", line)
}

// settingsFindings also gives the shops, if they can be read.
func (d *doctorCmd) settingsFindings(c *console) (out []finding, shops app.ShopList) {
	file := "no settings file"
	if c.settings != "" {
		file = "settings file " + c.settings
	}
	if err := d.Settings.Validate(); err != nil {
		out = append(out, finding{fail, file + ": " + err.Error(), "correct the named settings"})
	} else {
		out = append(out, finding{ok, file + ", settings valid", ""})
	}
	if err := d.LoadConnections(); err != nil {
		out = append(out, finding{fail, err.Error(), "correct the connections file"})
		d.Connections, d.ConnectionsFile = connections.File{}, "" // nothing is known of the connections, so no consumer is one too many
	}
	shops, err := app.LoadShops(d.ShopsFile, c.settings)
	switch {
	case err != nil:
		return append(out, finding{fail, err.Error(), "correct the shops file; see: seqrflow run --help"}), nil
	case len(shops) == 0:
		return append(out, finding{warn, "no shops are named", "workers need --shops-file, or shops: in the settings file (\"up\" brings a demo shop)"}), nil
	}
	return append(out, shopFindings(shops, d.Provider)...), shops
}

// minPassword is the provider's own rule for terminal passwords.
const minPassword = 4

func shopFindings(shops app.ShopList, provider string) []finding {
	var out []finding
	for _, id := range slices.Sorted(maps.Keys(shops)) {
		s := shops[id]
		if len(s.Password.Reveal()) < minPassword {
			out = append(out, finding{fail, fmt.Sprintf("shop %q: its password has under %d characters", id, minPassword), "the provider answers 21 ACCESS_DENIED; give the terminal's password"})
		}
		if s.Terminal == demoShop().Terminal && s.Password == demoShop().Password && !loopback(provider) {
			out = append(out, finding{warn, fmt.Sprintf("shop %q has the sandbox's demo credentials", id), "a real provider refuses them; give the shop's own"})
		}
		if s.Reseller == "" {
			out = append(out, finding{warn, fmt.Sprintf("shop %q has no reseller", id), "periods are closed with the terminal's credentials; some providers want a RESELLERUSER"})
		}
	}
	return append(out, finding{ok, fmt.Sprintf("%d shops with credentials", len(shops)), ""})
}

// provider asks for the one operation that does nothing, and with each shop's credentials for an invoice that there
// cannot be.
func (d doctorCmd) providerFindings(c *console, shops app.ShopList) []finding {
	cfg := d.ClientConfig()
	cfg.Timeout = patience
	client, err := app.NewClient(cfg)
	if err != nil {
		return []finding{{fail, err.Error(), "correct the setting that is named"}}
	}
	defer client.CloseIdle()
	begun := time.Now()
	err = client.BenchmarkingNop(c.ctx)
	took := time.Since(begun).Round(time.Millisecond)
	if _, answered := seqr.CodeOf(err); err != nil && !answered {
		return []finding{{fail, fmt.Sprintf("provider %s does not answer: %v", d.Provider, err), "check --provider, the network and TLS; for a sandbox: seqrflow sandbox"}}
	}
	out := []finding{{ok, fmt.Sprintf("provider %s answers in %s", d.Provider, took), ""}}
	for _, id := range slices.Sorted(maps.Keys(shops)) {
		s := shops[id]
		_, err := client.GetPaymentStatus(c.ctx, seqr.GetPaymentStatus{As: seqr.Terminal(s.Terminal, s.Password), InvoiceReference: "0000000000000"})
		if seqr.IsCredentialError(err) {
			out = append(out, finding{fail, fmt.Sprintf("shop %q: the provider refuses terminal %s: %v", id, s.Terminal, err), "correct the shop's terminal and password"})
		}
	}
	return out
}
