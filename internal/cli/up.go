package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type upCmd struct {
	app.Settings  `embed:""`
	NATSListen    string `name:"nats-listen" env:"SEQRFLOW_NATS_LISTEN" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the embedded broker listens (${default})."`
	SandboxListen string `env:"SEQRFLOW_SANDBOX_LISTEN" default:"127.0.0.1:8585" placeholder:"ADDR" help:"Where the embedded sandbox listens (${default})."`
	Data          string `env:"SEQRFLOW_DATA" default:"./seqrflow-data" type:"path" placeholder:"DIR" help:"Folder of the broker and the sandbox, kept and resumed (./seqrflow-data)."`
}

// Help shows examples.
func (upCmd) Help() string {
	return `Broker, sandbox, gateway and all workers in one process, for trying it out and for developing a shop against. It keeps its data, prints where things are, and drains on Ctrl-C. For production, use "run" with a broker and the provider of your own.

Port 0 in an address picks a free port.

Examples:

    seqrflow up
    seqrflow up --data /tmp/try --nats-listen 127.0.0.1:0 --sandbox-listen 127.0.0.1:0`
}

// Run runs everything until the context ends.
func (u upCmd) Run(c *console) error {
	o, err := u.options(c)
	if err != nil {
		return err
	}
	release, err := claim(u.Data)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(o, func(s *app.Stack) { u.welcome(c, s) }), release())
}

func (u upCmd) options(c *console) (app.Options, error) {
	shops, err := c.shops(u.Settings)
	if err != nil {
		return app.Options{}, err
	}
	o := app.Options{Settings: u.Settings, Targets: []string{app.All}, NATSListen: u.NATSListen, SandboxListen: u.SandboxListen, Data: u.Data}
	o.Replicas = 1 // there is one embedded broker
	o.Sandbox.Terminals, o.Sandbox.Resellers = sandbox.DemoTerminals(), sandbox.DemoResellers()
	if o.ShopList = shops; len(shops) == 0 {
		o.ShopList = app.ShopList{app.AnyShop: demoShop()}
	}
	known := map[string]bool{o.Sandbox.Terminals[0].ID: true, o.Sandbox.Resellers[0].ID: true}
	for id, shop := range shops {
		if !known[shop.Terminal] {
			o.Sandbox.Terminals = append(o.Sandbox.Terminals, sandbox.Terminal{ID: shop.Terminal, Password: shop.Password.Reveal(), Name: id, Reseller: shop.Reseller})
		}
		if shop.Reseller != "" && !known[shop.Reseller] {
			o.Sandbox.Resellers = append(o.Sandbox.Resellers, sandbox.Reseller{ID: shop.Reseller, UserID: shop.ResellerUser, Password: shop.ResellerPassword.Reveal()})
		}
		known[shop.Terminal], known[shop.Reseller] = true, true
	}
	return o, nil
}

// demoShop has the credentials that a sandbox takes by itself.
func demoShop() app.Shop {
	t, r := sandbox.DemoTerminals()[0], sandbox.DemoResellers()[0]
	return app.Shop{Terminal: t.ID, Password: seqr.Secret(t.Password), Reseller: r.ID, ResellerUser: r.UserID, ResellerPassword: seqr.Secret(r.Password)}
}

func (u upCmd) welcome(c *console, s *app.Stack) {
	self, nats := program(), ""
	if s.NATSURL() != "nats://127.0.0.1:4222" {
		nats = " --nats " + s.NATSURL()
	}
	c.say(`seqrflow is up. The provider is a sandbox: nothing here is real money. Ctrl-C stops it.

  broker    %s
  provider  %s
  wallet    %s/  (every invoice, to pay as the buyer)
  health    %s/readyz, /healthz, /metrics
  gateway   %s
  data      %s`, s.NATSURL(), s.ProviderURL(), s.SandboxURL(), s.HTTPURL(), s.GatewayURL(), u.Data)
	c.say(`
Watch in a second terminal:

  %[1]s watch --orders --parked%[2]s

Place an order in a third, with this program or with any NATS client:

  %[1]s order place --shop acme --order 2001 --currency SEK --row 'Coffee, 500 g;1;99.00;12' --row 'Mug;2;150.00;25'%[2]s

  nats --server %[3]s pub orders.acme.2002.placed '%[4]s'

Pay as the buyer: in a browser at the wallet above, or

  curl -X POST %[5]s/wallet/$(%[1]s show acme/2001 --reference%[2]s)/pay

Then see what became of it:

  %[1]s show acme/2001%[2]s
`, self, nats, s.NATSURL(), sampleOrder("acme", "2002"), s.SandboxURL())
}

// sampleOrder is the least that a shop has to say of an order.
func sampleOrder(shop, order string) string {
	return fmt.Sprintf(strings.Join([]string{`{"orderId":"%s","shop":"%s","currency":"SEK","total":"99.00",`,
		`"rows":[{"description":"Coffee, 500 g","quantity":"1","total":"99.00","taxRate":"12"}]}`}, ""), order, shop)
}
