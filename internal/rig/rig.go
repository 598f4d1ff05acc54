// Package rig is the fixture of every test that needs the whole system: a real embedded broker on a fresh folder, the real
// sandbox over HTTP, and a real client between them. Only the provider's side of a fault is ever faked.
//
//	rig.go       the broker, the sandbox and connections to them; running workers
//	orders.go    publishing what a shop says of its orders
//	invoices.go  invoices at the sandbox, and events as the workers record them
//	wait.go      waiting for a message, and until no worker has anything left to do
//	audit.go     what was recorded, checked against the state table and the sandbox's ledger
package rig

import (
	"context"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Patience is how long a test waits for a signal before it fails. Nothing ever takes that long, also on a slow machine.
const Patience = 2 * time.Minute

// Shop is the shop of all orders and invoices, unless another is named.
const Shop = "acme"

// Rig is a fresh broker and a fresh sandbox. Its methods fail the test instead of returning errors.
type Rig struct {
	T       testing.TB
	NATS    *natsd.Server
	Bus     *bus.Bus
	Sandbox *sandbox.Sandbox
	Server  *httptest.Server // the sandbox's
	Client  *seqr.Client     // of the sandbox
	Log     zerolog.Logger   // writes errors to the test's log

	js jetstream.JetStream
}

// Shops gives every shop but "nobody" the sandbox's demo terminal.
type Shops struct{}

// Terminal implements calls.Shops.
func (Shops) Terminal(shop string) (seqr.Principal, bool) {
	return seqr.Terminal("demo-terminal", "demo-secret"), shop != "nobody"
}

// TerminalOf implements calls.Shops.
func (s Shops) TerminalOf(shop, _ string) (seqr.Principal, bool) { return s.Terminal(shop) }

// New starts a broker and a sandbox, which end with the test.
func New(t testing.TB, cfg sandbox.Config) *Rig {
	t.Helper()
	r := &Rig{T: t, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)}
	var err error
	if r.NATS, err = natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.NATS.Close)
	r.Bus, r.js = r.Connect(), JetStream(t, "", r.NATS.InProcess())
	if err := r.Bus.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Log = r.Log
	if r.Sandbox, err = sandbox.New(cfg); err != nil {
		t.Fatal(err)
	}
	r.Server = httptest.NewServer(r.Sandbox)
	t.Cleanup(func() {
		r.Server.CloseClientConnections()
		r.Server.Close()
		if err := r.Sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Client = r.NewClient()
	return r
}

// Connect makes another connection to the broker, with short retries.
func (r *Rig) Connect() *bus.Bus {
	r.T.Helper()
	return r.ConnectWith(bus.Config{Backoff: bus.Backoff{First: 20 * time.Millisecond, Most: time.Second}})
}

// ConnectWith makes another connection to the broker. The rig sets the configuration's name, log and address.
func (r *Rig) ConnectWith(cfg bus.Config) *bus.Bus {
	r.T.Helper()
	// The address comes first, so that one of the options may put something before the broker.
	cfg.Name, cfg.Log, cfg.Options = "rig", r.Log, append([]nats.Option{r.NATS.InProcess()}, cfg.Options...)
	b, err := bus.Connect(r.T.Context(), cfg)
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(b.Close)
	return b
}

// JetStream is a client of the rig's broker.
func (r *Rig) JetStream() jetstream.JetStream { return r.js }

// JetStream connects a client to a broker until the test ends, for what the bus has no question for.
func JetStream(t testing.TB, url string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, append(opts, nats.MaxReconnects(-1), nats.Timeout(Patience))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// NewClient makes another client of the sandbox.
func (r *Rig) NewClient() *seqr.Client {
	r.T.Helper()
	c, err := seqr.New(seqr.Config{Endpoint: r.Server.URL + sandbox.Path, ClientID: "Rig AB", ClientReference: "rig/1"})
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(c.CloseIdle)
	return c
}

// Run runs a worker until stop is called, or the test ends. It is an error when the worker's Run returns one.
func (r *Rig) Run(w interface{ Run(context.Context) error }) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.T.Error(err)
		}
	})
	r.T.Cleanup(stop)
	return stop
}
