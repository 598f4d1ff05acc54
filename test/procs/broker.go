package procs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
)

// Broker is one nats-server that can be killed and started again on its data.
type Broker struct {
	*Process
	Name, Addr string

	t        testing.TB
	programs Programs
	config   string
}

// NewBroker starts a broker. Auth is an authorization block for its configuration, or "".
func NewBroker(t testing.TB, p Programs, auth string) *Broker {
	t.Helper()
	b := newBroker(t, p, "broker", Ports(t, 1)[0], auth)
	b.Start()
	return b
}

// NewCluster starts three brokers that form a cluster.
func NewCluster(t testing.TB, p Programs) []*Broker {
	t.Helper()
	const size = 3
	addrs := Ports(t, 2*size)
	clients, routes := addrs[:size], addrs[size:]
	var urls []string
	for _, r := range routes {
		urls = append(urls, fmt.Sprintf("%q", "nats://"+r))
	}
	var all []*Broker
	for i := range size {
		cluster := fmt.Sprintf("cluster { name: seqrflow, listen: %q, routes: [%s] }\n", routes[i], strings.Join(urls, ", "))
		all = append(all, newBroker(t, p, fmt.Sprintf("broker-%d", i+1), clients[i], cluster))
	}
	for _, b := range all {
		b.Start()
	}
	return all
}

func newBroker(t testing.TB, p Programs, name, addr, more string) *Broker {
	t.Helper()
	dir := t.TempDir()
	b := &Broker{Name: name, Addr: addr, t: t, programs: p, config: filepath.Join(dir, "nats.conf")}
	config := fmt.Sprintf("server_name: %q\nlisten: %q\nmax_payload: 4MB\njetstream { store_dir: %q, sync_interval: always }\n%s",
		name, addr, filepath.Join(dir, "data"), more)
	if err := os.WriteFile(b.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// Start starts the broker, at first or again on its data, and waits until it takes connections.
func (b *Broker) Start() {
	b.t.Helper()
	b.Process = Start(b.t, b.Name, b.programs.NATSServer, []string{"-c", b.config}, nil)
	b.Await("Server is ready")
}

// URL is the URL of all brokers that are given.
func URL(brokers ...*Broker) string {
	var urls []string
	for _, b := range brokers {
		urls = append(urls, "nats://"+b.Addr)
	}
	return strings.Join(urls, ",")
}

// Connect connects the test to the broker, and makes the streams if they are not there.
func Connect(t testing.TB, url string, replicas int, opts ...nats.Option) *bus.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	b, err := bus.Connect(ctx, bus.Config{URL: url, Name: "test", Replicas: replicas, Options: opts, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if missing := rig.Until(ctx, func(ctx context.Context) string {
		if err := b.EnsureStreams(ctx); err != nil {
			return err.Error()
		}
		return ""
	}); missing != "" {
		t.Fatal(missing)
	}
	return b
}
