package crash

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

// gate is before a shop's system. It holds one request, before its effect or after it, until the client is gone.
type gate struct {
	http.Handler

	mu      sync.Mutex
	seen    int  // requests
	hold    int  // the request to hold, counted from now; 0 is none
	after   bool // its effect
	reached chan struct{}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.mu.Lock()
	g.seen++
	if g.hold > 0 {
		g.hold--
		if g.hold == 0 {
			after, reached := g.after, g.reached
			g.mu.Unlock()
			if after {
				g.Handler.ServeHTTP(httptest.NewRecorder(), r)
			}
			close(reached)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
	}
	g.mu.Unlock()
	g.Handler.ServeHTTP(w, r)
}

// set has the gate hold its n-th request from now on.
func (g *gate) set(n int, after bool) (reached chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen, g.hold, g.after, g.reached = 0, n, after, make(chan struct{})
	return g.reached
}

// shop is one of the systems that the notifier tells.
type shop struct {
	name, destination string
	gate              *gate
	place             func() (order string)
	check             func(t *testing.T, order string) // that nothing happened twice
}

const (
	signing   = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	canaryKey = "ck_canary-of-the-notifier"
)

func shops(t *testing.T) (all []*shop, connections string) {
	t.Helper()
	woo := shopsim.NewWoo(shopsim.WooConfig{ConsumerKey: canaryKey, ConsumerSecret: canaryKey})
	fjell := shopsim.NewShopify(shopsim.ShopifyConfig{Currency: "SEK", AccessToken: canaryKey})
	erp := shopsim.NewReceiver(signing)
	t.Cleanup(woo.Close)
	t.Cleanup(fjell.Close)
	cart := shopsim.Cart{Items: []shopsim.Item{{Name: "Kaffe", Price: "10.00"}}}
	once := func(t *testing.T, order string, effects func(int64, ...string) []shopsim.Effect) {
		t.Helper()
		id, _ := strconv.ParseInt(order, 10, 64)
		seen := map[string]int{}
		for _, e := range effects(id) {
			seen[e.Kind+" "+e.Detail]++
			if n := seen[e.Kind+" "+e.Detail]; n > 1 || e.Kind == shopsim.EffectPaidAgain {
				t.Errorf("order %s: %d times %s %s", order, n, e.Kind, e.Detail)
			}
		}
		if n := len(effects(id, shopsim.EffectPaid)); n != 1 {
			t.Errorf("order %s was paid %d times: %+v", order, n, effects(id))
		}
	}
	number := 0
	all = []*shop{
		{"woo", "woocommerce", &gate{Handler: woo}, func() string { return fmt.Sprint(woo.Place(cart).ID) }, func(t *testing.T, order string) { once(t, order, woo.Effects) }},
		{"fjell", "shopify", &gate{Handler: fjell}, func() string { return fmt.Sprint(fjell.Place(cart).ID) }, func(t *testing.T, order string) { once(t, order, fjell.Effects) }},
		{"beta", "erp", &gate{Handler: erp}, func() string { number++; return fmt.Sprint("b", number) }, func(t *testing.T, order string) {
			ids := map[string]bool{}
			for _, r := range erp.Received() {
				if r.Problem != nil {
					t.Errorf("signature: %v", r.Problem)
				}
				if strings.Contains(r.Body, `"orderId":"`+order+`"`) {
					ids[r.ID] = true
				}
			}
			if len(ids) != 2 { // issued and paid
				t.Errorf("order %s came with the ids %v", order, ids)
			}
		}},
	}
	var urls []string
	for _, s := range all {
		server := httptest.NewServer(s.gate)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		urls = append(urls, server.URL)
	}
	key, secret := procs.WriteFile(t, "key", canaryKey), procs.WriteFile(t, "signing", signing)
	return all, procs.WriteFile(t, "connections.yaml", fmt.Sprintf(`
connections:
  woo: {woocommerce: {url: %q, payment_methods: [seqr], webhook_secret_file: absent, consumer_key_file: %[4]q, consumer_secret_file: %[4]q}}
  fjell: {shopify: {domain: fjell.myshopify.com, url: %[2]q, gateways: [SEQR], api_version: 2026-10, webhook_secret_file: absent, access_token_file: %[4]q}}
  beta: {webhooks: [{name: erp, url: %[3]q, secret_files: %[5]q}]}
`, urls[0], urls[1], urls[2], key, secret))
}

// TestKilledNotifierTellsOnce kills the notifier at each of its requests, before the effect and after it: that is before its call, and
// between the call and the record. Each shop is told, and nothing happens twice there. (What was recorded and not acknowledged is
// tested in services/notifier.)
func TestKilledNotifierTellsOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("in the short form: it runs processes of its own, which the race detector does not see")
	}
	programs := procs.Build(t)
	broker := procs.NewBroker(t, programs, "")
	all, connections := shops(t)
	start := procs.Workers{
		T: t, Programs: programs, NATS: procs.URL(broker), Provider: "http://127.0.0.1:1/", Shops: procs.DemoShops(t),
		Env: []string{"SEQRFLOW_CONNECTIONS_FILE=" + connections, "SEQRFLOW_LOG_LEVEL=debug"},
	}
	b, js := procs.Connect(t, start.NATS, 1), rig.JetStream(t, start.NATS)
	worker := start.Run("notifier")
	var outputs []*procs.Output
	outputs = append(outputs, worker.Out)

	orders := pay(t, b, all)
	settle(t, js)
	most := 0
	for i, s := range all {
		s.check(t, orders[i])
		most = max(most, s.gate.seen)
		t.Logf("%s: %d requests for each payment", s.destination, s.gate.seen)
	}
	for n := 1; n <= most; n++ {
		for _, after := range []bool{false, true} {
			var reached []chan struct{}
			for _, s := range all {
				reached = append(reached, s.gate.set(n, after))
			}
			orders := pay(t, b, all)
			for i, s := range all {
				waitHeld(t, b, s, orders[i], reached[i])
			}
			worker.Kill()
			for _, s := range all {
				s.gate.set(0, false)
			}
			worker = start.Run("notifier")
			outputs = append(outputs, worker.Out)
			settle(t, js)
			for i, s := range all {
				s.check(t, orders[i])
			}
		}
	}
	rig.NoneParked(t, b)
	for _, out := range outputs {
		withoutSecrets(t, "the log", out.Text())
	}
	for _, stream := range []string{events.DeliveriesStream, events.ParkedStream} {
		if _, err := b.Scan(t.Context(), bus.Scan{Stream: stream}, func(e bus.Entry) error {
			withoutSecrets(t, stream, string(e.Body))
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

func withoutSecrets(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{canaryKey, signing, strings.TrimPrefix(signing, "whsec_")} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has a secret", where)
		}
	}
}

// pay records one order of each shop as issued and paid, and gives the orders' ids.
func pay(t *testing.T, b *bus.Bus, all []*shop) (orders []string) {
	t.Helper()
	for _, s := range all {
		id := s.place()
		if err := rig.RecordIssued(t.Context(), b, rig.Recorded{ID: id, Shop: s.name, Reference: "ref-" + id, Unindexed: true, Unhinted: true}); err != nil {
			t.Fatal(err)
		}
		rig.AppendEvents(t, b, events.KeyOf(s.name, id), func(inv events.Invoice) (events.Invoice, error) {
			return inv.PaidWith("ers-"+id, "poller", events.Fact{At: time.Now(), Why: "test"})
		})
		orders = append(orders, id)
	}
	return orders
}

// waitHeld waits until the shop's request is held, or until it was told without as many requests.
func waitHeld(t *testing.T, b *bus.Bus, s *shop, order string, reached chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), procs.Patience)
	defer cancel()
	if missing := rig.Until(ctx, func(ctx context.Context) string {
		select {
		case <-reached:
			return ""
		default:
		}
		last, err := b.LastDelivery(ctx, events.KeyOf(s.name, order), s.destination)
		if err == nil && last.Event == events.EventPaid && last.Status == events.DeliveryDelivered {
			return ""
		}
		return fmt.Sprintf("%+v, %v", last.DeliveryAttempt, err)
	}); missing != "" {
		t.Fatalf("%s was not asked: %s", s.destination, missing)
	}
}

// settle waits until everything is acknowledged.
func settle(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), procs.Patience)
	defer cancel()
	if busy := rig.Until(ctx, func(ctx context.Context) string { return rig.Busy(ctx, js) }); busy != "" {
		t.Fatalf("not settled: %s", busy)
	}
}
