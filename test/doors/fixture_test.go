// Package doors holds a real server with the configuration that "seqrflow broker config" writes against the table
// that it was written from: each user can do what its process does, and nothing else.
package doors

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/natsauth"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/gateway"
)

// connected joins two systems of a shop: the notifier has a consumer for each.
var connected = connections.File{Connections: map[string]connections.Connection{"acme": {Webhooks: []connections.Webhook{{Name: "erp"}, {Name: "crm"}}}}}

// fixture is a server with the generated configuration, its streams and consumers made by the provisioner.
type fixture struct {
	*testing.T
	server *server.Server
	dir    string
	shops  []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, dir: t.TempDir(), shops: []string{"acme", "beta"}}
	f.write(f.shops...)
	o, err := server.ProcessConfigFile(filepath.Join(f.dir, broker.ConfFile))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	o.Nkeys = append(o.Nkeys, probes(t, o)...)
	f.server = run(t, o)
	f.provision()
	f.forward(gateway.NewQuota(quotaMiB, time.Now).Admit)
	return f
}

// quotaMiB is what a shop may publish in the fixture.
const quotaMiB = 4

// forward runs a gateway's part that stores what shops publish.
func (f *fixture) forward(admit func(string, int) error) {
	f.Helper()
	credentials, err := natsauth.Credentials{NATSNKey: filepath.Join(f.dir, broker.KeysFolder, "gateway.nk")}.Options()
	if err != nil {
		f.Fatal(err)
	}
	b, err := bus.Connect(f.Context(), bus.Config{URL: f.server.ClientURL(), Options: credentials, Log: zerolog.Nop()})
	if err != nil {
		f.Fatal(err)
	}
	stop, err := b.ForwardOrders("gateway", admit)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := stop(); err != nil {
			f.Error(err)
		}
		b.Close()
	})
}

// in is the same server for a subtest.
func (f *fixture) in(t *testing.T) *fixture {
	g := *f
	g.T = t
	return &g
}

func (f *fixture) write(shops ...string) {
	f.Helper()
	cfg := broker.Config{Listen: "127.0.0.1:-1", StoreDir: filepath.Join(f.dir, "streams"), Shops: shops, Connections: connected}
	if _, err := broker.Write(f.dir, cfg, false); err != nil {
		f.Fatal(err)
	}
}

func run(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(rig.Patience) {
		t.Fatal("the server does not start")
	}
	return s
}

// probeSeeds are users that only the tests have: they may do anything in the accounts where subjects meet.
var probeSeeds = map[string]nkeys.KeyPair{broker.StreamsAccount: newPair(), "POLLER": newPair(), "GATEWAY": newPair()}

func newPair() nkeys.KeyPair {
	pair, err := nkeys.CreateUser()
	if err != nil {
		panic(err)
	}
	return pair
}

func probes(t *testing.T, o *server.Options) []*server.NkeyUser {
	t.Helper()
	var out []*server.NkeyUser
	for _, a := range o.Accounts {
		if pair := probeSeeds[a.Name]; pair != nil {
			public, err := pair.PublicKey()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, &server.NkeyUser{Nkey: public, Account: a})
		}
	}
	if len(out) != len(probeSeeds) {
		t.Fatalf("the configuration lacks one of the accounts of %d probes", len(probeSeeds))
	}
	return out
}

// probe connects with all rights to an account.
func (f *fixture) probe(account string) *nats.Conn {
	f.Helper()
	pair := probeSeeds[account]
	public, err := pair.PublicKey()
	if err != nil {
		f.Fatal(err)
	}
	return f.dial(nats.Nkey(public, pair.Sign))
}

// connect as the user of that name does, with the key that was written for it.
func (f *fixture) connect(user string, opts ...nats.Option) *nats.Conn {
	f.Helper()
	credentials, err := natsauth.Credentials{NATSNKey: filepath.Join(f.dir, broker.KeysFolder, user+".nk")}.Options()
	if err != nil {
		f.Fatal(err)
	}
	return f.dial(append(credentials, opts...)...)
}

// try to connect as a user that may be refused.
func (f *fixture) try(user string) (*nats.Conn, error) {
	credentials, err := natsauth.Credentials{NATSNKey: filepath.Join(f.dir, broker.KeysFolder, user+".nk")}.Options()
	if err != nil {
		return nil, err
	}
	return nats.Connect(f.server.ClientURL(), append(credentials, nats.NoReconnect())...)
}

func (f *fixture) dial(opts ...nats.Option) *nats.Conn {
	f.Helper()
	nc, err := nats.Connect(f.server.ClientURL(), append(opts, nats.NoReconnect())...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(nc.Close)
	return nc
}

func jetStream(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func streamConfigs() []jetstream.StreamConfig {
	out := bus.Streams(1)
	has := func(name string) bool {
		return slices.ContainsFunc(out, func(c jetstream.StreamConfig) bool { return c.Name == name })
	}
	if !has(events.OpenStream) {
		out = append(out, jetstream.StreamConfig{Name: events.OpenStream, Subjects: []string{events.OpenSubjects}, Retention: jetstream.WorkQueuePolicy, AllowDirect: true})
	}
	if !has(exchanges.Stream) {
		out = append(out, jetstream.StreamConfig{Name: exchanges.Stream, Subjects: []string{"exchanges.*.*.*"}, AllowDirect: true})
	}
	return out
}

// provision makes streams and consumers with the rights of the provisioner, and puts one message on each subject
// that a consumer takes.
func (f *fixture) provision() {
	f.Helper()
	js := jetStream(f, f.connect("provisioner"))
	for _, c := range streamConfigs() {
		if _, err := js.CreateOrUpdateStream(f.Context(), c); err != nil {
			f.Fatalf("stream %s: %v", c.Name, err)
		}
	}
	for _, d := range broker.Durables(connected) {
		_, err := js.CreateOrUpdateConsumer(f.Context(), d.Stream, jetstream.ConsumerConfig{
			Durable: d.Name, FilterSubjects: d.Filters, AckPolicy: jetstream.AckExplicitPolicy, HeadersOnly: true,
		})
		if err != nil {
			f.Fatalf("consumer %s: %v", d.Name, err)
		}
	}
	probe := jetStream(f, f.probe(broker.StreamsAccount))
	for _, subject := range []string{events.OrdersSubjects, events.InvoicesSubjects, events.PeriodsSubjects, events.ParkedSubjects, events.OpenSubjects, events.DeliveriesSubjects, "exchanges.*.*.*"} {
		if _, err := probe.Publish(f.Context(), literal(subject, "first"), nil); err != nil {
			f.Fatal(err)
		}
	}
}

func (f *fixture) roles() []broker.Role {
	out := broker.Roles(connected)
	for _, s := range f.shops {
		out = append(out, broker.ShopRole(s))
	}
	return out
}

// literal puts the token where the subject has wildcards.
func literal(subject, token string) string {
	t := strings.Split(subject, ".")
	for i := range t {
		if t[i] == "*" || t[i] == ">" {
			t[i] = token
		}
	}
	return strings.Join(t, ".")
}

// lastSeqs are the last sequences of all streams, by their names.
func (f *fixture) lastSeqs(probe jetstream.JetStream) string {
	f.Helper()
	var b strings.Builder
	for _, c := range streamConfigs() {
		s, err := probe.Stream(f.Context(), c.Name)
		if err != nil {
			f.Fatal(err)
		}
		fmt.Fprintf(&b, "%s:%d ", c.Name, s.CachedInfo().State.LastSeq)
	}
	return b.String()
}

func flush(t testing.TB, all ...*nats.Conn) {
	t.Helper()
	for _, nc := range all {
		if err := nc.FlushTimeout(rig.Patience); err != nil {
			t.Fatal(err)
		}
	}
}
