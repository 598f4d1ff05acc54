package doors

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/natsauth"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/notifier"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

// guarded is a server with the generated configuration and nothing in it, and a sandbox.
type guarded struct {
	*testing.T
	dir, url string
	sandbox  *sandbox.Sandbox
	provider string
	log      zerolog.Logger
	refusals refusals
}

// refusals are log lines that speak of permissions.
type refusals struct {
	mu    sync.Mutex
	lines []string
}

func (r *refusals) Write(p []byte) (int, error) {
	if line := string(p); strings.Contains(strings.ToLower(line), "violation") {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, line)
	}
	return len(p), nil
}

func (r *refusals) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{T: t, dir: t.TempDir()}
	g.log = zerolog.New(&g.refusals)
	cfg := broker.Config{Listen: "127.0.0.1:-1", StoreDir: filepath.Join(g.dir, "streams"), Shops: []string{"acme"}, Connections: connected}
	if _, err := broker.Write(g.dir, cfg, false); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(filepath.Join(g.dir, broker.ConfFile))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	g.url = run(t, o).ClientURL()
	if g.sandbox, err = sandbox.New(sandbox.Config{Log: zerolog.Nop()}); err != nil {
		t.Fatal(err)
	}
	far := httptest.NewServer(g.sandbox)
	t.Cleanup(func() { far.Close(); _ = g.sandbox.Close() })
	g.provider = far.URL + sandbox.Path
	return g
}

func (g *guarded) credentials(user string) natsauth.Credentials {
	return natsauth.Credentials{NATSNKey: filepath.Join(g.dir, "keys", user+".nk")}
}

// as connects as the user.
func (g *guarded) as(user string) *bus.Bus {
	g.Helper()
	options, err := g.credentials(user).Options()
	if err != nil {
		g.Fatal(err)
	}
	b, err := bus.Connect(g.Context(), bus.Config{URL: g.url, Name: user, Options: options, Log: g.log})
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(b.Close)
	return b
}

func (g *guarded) start(ctx context.Context, worker string) (*app.Stack, error) {
	return g.startWith(ctx, worker, func(*app.Options) {})
}

func (g *guarded) startWith(ctx context.Context, worker string, change func(*app.Options)) (*app.Stack, error) {
	t := sandbox.DemoTerminals()[0]
	reseller := sandbox.DemoResellers()[0]
	o := app.Options{
		Targets: []string{"http", worker}, Log: g.log,
		Settings: app.Settings{
			NATS: g.url, Credentials: g.credentials(worker), Replicas: 1, PollInterval: 100 * time.Millisecond, ValidFor: time.Minute, HTTPListen: "127.0.0.1:0", GatewayListen: "127.0.0.1:0",
			ProviderFlags: app.ProviderFlags{Provider: g.provider, ProviderTimeout: 5 * time.Second, ClientID: "Doors AB", ClientReference: "doors"},
			ShopList: app.ShopList{"acme": {Terminal: t.ID, Password: seqr.Secret(t.Password), Reseller: reseller.ID, ResellerUser: reseller.UserID,
				ResellerPassword: seqr.Secret(reseller.Password)}},
		},
	}
	change(&o)
	return app.Start(ctx, o)
}

func (g *guarded) apply() {
	g.Helper()
	b := g.as("provisioner")
	if err := b.EnsureStreams(g.Context()); err != nil {
		g.Fatal(err)
	}
	if err := b.EnsureConsumers(g.Context(), app.ConsumersWith(connected)); err != nil {
		g.Fatal(err)
	}
}

// A worker that finds no streams and may make none says so, by name, and does not wait for ever.
func TestWorkerSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := g.start(ctx, "poller")
	if err == nil {
		_ = s.Stop()
		t.Fatal("started without streams")
	}
	for _, want := range []string{"stream INVOICES", "permission", "seqrflow broker apply"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
}

// A worker may make no consumer. It passes over any number of foreign messages of an invoice all the same.
func TestForeignMessagesStopNoWorker(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.apply()
	poller, k := g.as("poller"), events.KeyOf("acme", "1")
	for range 4 {
		if err := poller.PublishRaw(t.Context(), k.Subject(events.EventPaid), "", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := poller.Load(t.Context(), k); err != nil || l.Known() || l.Seq != 4 {
		t.Errorf("loaded %+v, %v; want nothing, to be appended after 4", l, err)
	}
}

// The gateway shows buyers and shops their orders: its user may read them, and hear what happens to their invoices.
func TestGatewayReadsOrdersAndFollowsTheirInvoices(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.apply()
	b, shop, k := g.as("gateway"), g.as("shop-acme"), events.OrderKeyOf("acme", "1")
	stop, err := b.ForwardOrders("gateway", func(string, int) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	hub, ended := orderview.NewHub(b, g.log), make(chan error)
	go func() { ended <- hub.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	news, err := hub.SubscribeOrder(ctx, k)
	if err != nil {
		t.Fatalf("%v; refused: %v", err, g.refusals.all())
	}
	defer news.Close()
	amount, _ := events.ParseAmount("10")
	o := events.Order{OrderID: "1", Shop: "acme", Currency: "SEK", Total: amount, Rows: []events.Row{{Description: "Kaffe", Quantity: amount.Decimal(), Total: amount}}}
	if err := shop.PublishOrder(ctx, "/test", "acme", "1", "a", events.Placed, o); err != nil {
		t.Fatal(err)
	}
	if err := shop.PublishOrder(ctx, "/test", "acme", "1", "b", events.OrderCanceled, events.Cancellation{OrderID: "1", Shop: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.as("canceler").Update(ctx, "canceler", o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.CanceledBeforeIssue(events.Cancellation{OrderID: "1", Shop: "acme"}, events.Fact{Why: "test"})
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-news.Changed():
	case <-ctx.Done():
		t.Errorf("it hears nothing; refused: %v", g.refusals.all())
	}
	if seen, err := orderview.Load(ctx, b, k, nil); err != nil || seen.Tries[0].Invoice.State != events.Canceled {
		t.Errorf("it reads %+v, %v; refused: %v", seen, err, g.refusals.all())
	}
}

// The notifier looks whether an order goes on by another invoice: its user may read the order and its invoices.
func TestNotifierReadsOrders(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.apply()
	amount, _ := events.ParseAmount("10")
	o := events.Order{OrderID: "1", Shop: "acme", Currency: "SEK", Total: amount, Rows: []events.Row{{Description: "Kaffe", Quantity: amount.Decimal(), Total: amount}}}
	if err := g.as("operator").PublishOrder(t.Context(), "/test", "acme", "1", "a", events.Placed, o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if seen, err := orderview.Load(ctx, g.as("notifier"), events.OrderKeyOf("acme", "1"), nil); err != nil || len(seen.Tries) != 1 {
		t.Errorf("it reads %+v, %v; refused: %v", seen, err, g.refusals.all())
	}
}

// A connection that the broker does not know yet stops neither the notifier nor what it tells the others.
func TestADestinationWithoutItsConsumerStopsNoOther(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.apply()
	told := make(chan struct{}, 10)
	erp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(erp.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := func(name string) connections.Webhook {
		return connections.Webhook{Name: name, URL: erp.URL, Secrets: []string{secret}}
	}
	file := connections.File{Connections: map[string]connections.Connection{
		"acme": {Webhooks: []connections.Webhook{hook("erp"), hook("crm")}}, "beta": {Webhooks: []connections.Webhook{hook("new")}}}}
	s, err := g.startWith(t.Context(), "notifier", func(o *app.Options) { o.Connections = file })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := rig.RecordIssued(t.Context(), g.as("invoicer"), rig.Recorded{ID: "1", Reference: "ref-1"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(rig.Patience):
		t.Errorf("nothing is told: %v", g.refusals.all())
	}
	resp, err := http.Get(s.URLs.HTTP + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(said), notifier.ConsumerName("beta", "new")) {
		t.Errorf("ready: %d %s", resp.StatusCode, said)
	}
}

// Every process with its own user and no right to make anything does its whole job, and is refused nothing that it needs.
func TestEachProcessDoesItsJobWithItsOwnRights(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	g.apply()
	for _, p := range app.Processes() {
		begun := time.Now()
		s, err := g.start(t.Context(), p.Name)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		t.Logf("%s is ready after %s", p.Name, time.Since(begun).Round(time.Millisecond))
		t.Cleanup(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	shop, operator, reader := g.as("shop-acme"), g.as("operator"), g.as("reader")
	say := func(b *bus.Bus, order, id string, name events.OrderName, data any) {
		t.Helper()
		if err := b.PublishOrder(t.Context(), "/test", "acme", order, id, name, data); err != nil {
			t.Fatal(err)
		}
	}
	amount := func(s string) events.Amount { a, _ := events.ParseAmount(s); return a }
	order := func(id string) events.Order {
		return events.Order{OrderID: id, Shop: "acme", Currency: "SEK", Total: amount("10"),
			Rows: []events.Row{{Description: "Kaffe", Quantity: amount("1").Decimal(), Total: amount("10")}}}
	}
	wait := func(id string, e events.Name) events.Invoice {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
		defer cancel()
		var found events.Invoice
		err := reader.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, Filters: []string{events.KeyOf("acme", id).Subject(e)}, All: true}}, nil, func(m bus.Entry) error {
			inv, _, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
			found = inv
			if err != nil {
				return err
			}
			return bus.ErrStop
		})
		if err != nil || found.State == "" {
			t.Fatalf("%s of %s: %v; refused: %v", e, id, err, g.refusals.all())
		}
		return found
	}
	say(shop, "1", "a", events.Placed, order("1"))
	if err := g.sandbox.Pay(wait("1", events.EventIssued).InvoiceReference); err != nil {
		t.Fatal(err)
	}
	wait("1", events.EventReceipted)
	part := amount("4")
	say(operator, "1", "b", events.Returned, events.Return{OrderID: "1", Shop: "acme", RefundID: "r1", Amount: &part})
	wait("1", events.EventRefunded)
	say(shop, "2", "c", events.Placed, order("2"))
	wait("2", events.EventIssued)
	say(shop, "2", "d", events.OrderCanceled, events.Cancellation{OrderID: "2", Shop: "acme"})
	wait("2", events.EventCanceled)
	if _, err := reconciler.RequestClose(t.Context(), operator, "operator", "acme", "today", "end of day"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if p, err := reconciler.Await(ctx, operator, events.PeriodKeyOf("acme", "today")); err != nil || p.State != events.PeriodReconciled {
		t.Errorf("the period is %s: %v", p.State, err)
	}
	if lines := g.refusals.all(); len(lines) > 0 {
		t.Errorf("refused to processes that need it: %v", lines)
	}
	begun := time.Now()
	if err := shop.PublishRaw(t.Context(), "orders.beta.1.placed", "", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "permissions") {
		t.Errorf("an order of another shop: %v", err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the refusal was told after %s", took)
	}
}
