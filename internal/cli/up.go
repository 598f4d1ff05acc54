package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/demoshop"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/internal/secretfile"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

type upCmd struct {
	app.Settings  `embed:""`
	NATSListen    string `name:"nats-listen" env:"SEQRFLOW_NATS_LISTEN" default:"127.0.0.1:4222" placeholder:"ADDR" help:"Where the embedded broker listens (${default})."`
	SandboxListen string `env:"SEQRFLOW_SANDBOX_LISTEN" default:"127.0.0.1:8585" placeholder:"ADDR" help:"Where the embedded sandbox listens (${default})."`
	Data          string `env:"SEQRFLOW_DATA" default:"./seqrflow-data" type:"path" placeholder:"DIR" help:"Folder of the broker and the sandbox, and of secrets, kept and resumed (./seqrflow-data)."`
	ShopDemo      bool   `env:"SEQRFLOW_SHOP_DEMO" help:"A small WooCommerce shop too, to buy something in a browser. Its orders are in memory: after a restart the shop has forgotten them, their invoices go on."`
	ShopListen    string `env:"SEQRFLOW_SHOP_LISTEN" default:"127.0.0.1:8888" placeholder:"ADDR" help:"Where that shop listens (${default})."`
}

func (upCmd) Help() string {
	return `Broker, sandbox, gateway and all workers in one process, for trying it out and for developing a shop against. It keeps its data, prints where things are, and drains on Ctrl-C. On a fresh folder it places a first order and prints the link of its checkout page. For production, use "run" with a broker and the provider of your own.

Port 0 in an address picks a free port.

Examples:

    seqrflow up
    seqrflow up --shop-demo
    seqrflow up --data /tmp/try --nats-listen 127.0.0.1:0 --sandbox-listen 127.0.0.1:0`
}

func (u upCmd) Validate() error {
	if _, _, err := net.SplitHostPort(u.NATSListen); err != nil {
		return fmt.Errorf("--nats-listen: expected host:port, got %q", u.NATSListen)
	}
	return nil
}

func (u upCmd) Run(c *console) (err error) {
	o, err := u.options(c)
	if err != nil {
		return err
	}
	release, err := claim(u.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := u.openCheckout(&o); err != nil {
		return err
	}
	var shop *demoshop.Woo
	if u.ShopDemo {
		if shop, err = u.openShop(&o); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shop.Close()) }()
	}
	first := ""
	begin := func(s *app.Stack) (err error) {
		if first, err = u.placeFirst(c.ctx, s); err != nil || shop == nil {
			return err
		}
		return shop.Join(s.URLs.Gateway)
	}
	return c.serve(o, begin, func(s *app.Stack) { u.welcome(c, s, shop, first) })
}

func (u upCmd) options(c *console) (app.Options, error) {
	if err := c.resolve(&u.Settings); err != nil {
		return app.Options{}, err
	}
	shops := u.ShopList
	o := app.Options{Settings: u.Settings, Targets: []string{app.All}, NATSListen: u.NATSListen, SandboxListen: u.SandboxListen, Data: u.Data}
	o.Replicas = 1 // there is one embedded broker
	o.Sandbox.Terminals, o.Sandbox.Resellers = sandbox.DemoTerminals(), sandbox.DemoResellers()
	if len(shops) == 0 {
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

// openCheckout has the gateway serve checkout pages under its own address, with a key in the data folder. Where there is a connections file,
// that says whether and where they are; only the shop of --shop-demo has to have them.
func (u upCmd) openCheckout(o *app.Options) error {
	if len(o.Connections.Checkout.Key) > 0 || u.ConnectionsFile != "" && !u.ShopDemo {
		return nil
	}
	file := filepath.Join(u.Data, "secrets", "checkout-key")
	if err := secretfile.Make(file); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	o.Connections.Checkout.Key = connections.SecretFiles{file}
	return nil
}

// demoShopID is the id of the shop of --shop-demo.
const demoShopID = "demo"

// openShop makes the shop of --shop-demo, and joins it in the options.
func (u upCmd) openShop(o *app.Options) (*demoshop.Woo, error) {
	if _, _, taken := o.Connections.Of(demoShopID); taken {
		return nil, wrongUsage("--shop-demo: the connections file has a shop %q of its own", demoShopID)
	}
	shop, err := demoshop.OpenWoo(demoshop.Config{
		ID: demoShopID, Listen: u.ShopListen, Folder: filepath.Join(u.Data, "secrets", "shop-demo"),
	}, demoshop.IDFromClock(time.Now()))
	if err != nil {
		return nil, err
	}
	all := map[string]connections.Connection{demoShopID: shop.Connection}
	maps.Copy(all, o.Connections.Connections)
	o.Connections.Connections = all
	if _, known := o.ShopList.Of(demoShopID); !known {
		o.ShopList[demoShopID] = demoShop()
	}
	return shop, nil
}

// firstOrder is what is placed on a fresh data folder, but for its backUrl.
const firstOrder = `{"orderId":"1000","shop":"acme","currency":"SEK","total":"249.00","title":"A first order","backUrl":%q,` +
	`"rows":[{"description":"Coffee, 500 g","quantity":"1","total":"99.00","taxRate":"12"},{"description":"Mug","quantity":"1","total":"150.00","taxRate":"25"}]}`

// placeFirst places an order if there has never been one, and gives the address of its checkout page, else "". Who brings shops or connections
// of their own gets none.
func (u upCmd) placeFirst(ctx context.Context, s *app.Stack) (page string, err error) {
	if len(u.ShopList) > 0 || len(u.Shops) > 0 || u.ConnectionsFile != "" {
		return "", nil
	}
	orders, err := s.Bus.StreamState(ctx, events.OrdersStream)
	if err != nil || orders.Messages > 0 {
		return "", err
	}
	body := fmt.Appendf(nil, firstOrder, s.Links.Return("acme", "1000"))
	return s.Links.Page("acme", "1000"), s.Bus.PublishRaw(ctx, events.OrderSubject("acme", "1000", events.Placed), "", body)
}

func (u upCmd) welcome(c *console, s *app.Stack, shop *demoshop.Woo, first string) {
	self, nats := program(), ""
	if s.URLs.NATS != "nats://127.0.0.1:4222" {
		nats = " --nats " + s.URLs.NATS
	}
	c.say(`seqrflow is up. The provider is a sandbox: nothing here is real money. Ctrl-C stops it.

  broker    %s
  provider  %s
  wallet    %s/  (every invoice, to pay as the buyer)
  health    %s/readyz, /healthz, /metrics
  gateway   %s  (checkout pages, shops' systems, HTTP API)
  data      %s`, s.URLs.NATS, s.URLs.Provider, s.URLs.Sandbox, s.URLs.HTTP, s.URLs.Gateway, u.Data)
	if shop != nil {
		c.say("  shop      %s/  (buy something; after a restart it has forgotten its orders, their invoices go on)", shop.URL)
	}
	if first != "" {
		c.say("\nA first order is placed. Pay it in a browser:\n\n  %s", first)
	}
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
`, self, nats, s.URLs.NATS, sampleOrder, s.URLs.Sandbox)
}

// sampleOrder is the least that a shop has to say of an order.
const sampleOrder = `{"orderId":"2002","shop":"acme","currency":"SEK","total":"99.00",` +
	`"rows":[{"description":"Coffee, 500 g","quantity":"1","total":"99.00","taxRate":"12"}]}`

// claim keeps a second process out of a data folder: two brokers on the same files would spoil them.
// The kernel ends the claim with the process, however that ends.
func claim(folder string) (release func() error, err error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("%w: mend that, or choose another data folder with --data", err)
	}
	lock := flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o600))
	if locked, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("%w: mend that, or choose another data folder with --data", err)
	} else if !locked {
		return nil, fmt.Errorf("the data folder %s is in use by another seqrflow: stop it, or choose another folder with --data", folder)
	}
	return lock.Unlock, nil
}
