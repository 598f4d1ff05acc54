package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type runCmd struct {
	Workers      []string `arg:"" name:"worker" help:"Which workers to run here; all for all of them."`
	app.Settings `embed:""`
}

func (runCmd) Help() string {
	var b strings.Builder
	b.WriteString("Runs workers against a broker and a provider. Any number of copies of a worker may run at once, in one process or in many. Health and metrics are at --http-listen.\n\nWorkers:\n\n")
	for _, p := range app.Processes() {
		fmt.Fprintf(&b, "    %-11s %s\n", p.Name, p.About)
	}
	b.WriteString(`
Examples:

    seqrflow run invoicer poller --nats nats://broker:4222 --provider https://seqr.example/extclientproxy/service/v2 --shops-file shops.yaml
    seqrflow --config seqrflow.yaml run all

A shops file:

` + shopsSample)
	return b.String()
}

const shopsSample = `    shops:
      acme:
        terminal: 87e791f9e24148a6892c52aa85bb0331
        password_file: /run/secrets/acme
      "*":                       # any other shop
        terminal: demo-terminal
        password: demo-secret
        reseller: demo-reseller  # closes periods
        reseller_user: "9900"
        reseller_password: demo-secret
`

func (r runCmd) Validate() error {
	if err := bus.CheckAddress(r.NATS); err != nil {
		return fmt.Errorf("--nats: %w", err)
	}
	return nil
}

func (r runCmd) Run(c *console) error {
	o, err := r.options(c)
	if err != nil {
		return err
	}
	return c.serve(o, nil, func(s *app.Stack) {
		c.say("running %s\n  broker    %s\n  provider  %s\n  health    %s/readyz", strings.Join(r.Workers, ", "), bus.Address(s.URLs.NATS), s.URLs.Provider, s.URLs.HTTP)
	})
}

func (r runCmd) options(c *console) (app.Options, error) {
	var names, chosen []string
	credentials := false
	for _, p := range app.Processes() {
		names = append(names, p.Name)
		if slices.Contains(r.Workers, p.Name) || slices.Contains(r.Workers, app.All) {
			chosen, credentials = append(chosen, p.Name), credentials || p.Credentials
		}
	}
	for _, w := range r.Workers {
		if w != app.All && !slices.Contains(names, w) {
			return app.Options{}, wrongUsage("there is no worker %q; there are %s, and all", w, strings.Join(names, ", "))
		}
	}
	if err := c.resolve(&r.Settings); err != nil {
		return app.Options{}, err
	}
	if len(r.ShopList) == 0 && credentials {
		return app.Options{}, wrongUsage("no shops: the workers need the shops' credentials at the provider. Give a file with --shops-file or SEQRFLOW_SHOPS_FILE, or put them into the settings file:\n\n%s", shopsSample)
	}
	if _, err := seqr.New(r.ClientConfig()); err != nil && credentials {
		return app.Options{}, wrongUsage("the provider's settings (--provider, --provider-http, --provider-timeout, --client-id, --client-reference): %w", err)
	}
	return app.Options{Settings: r.Settings, Targets: append([]string{"http"}, chosen...)}, nil
}
