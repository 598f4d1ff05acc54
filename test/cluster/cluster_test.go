package cluster

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

var (
	rate   = flag.Int("rate", 15, "orders a second")
	rounds = flag.Int("rounds", 1, "how often the leader and then a follower is killed")
	moves  = flag.Duration("moves", 0, "how often another broker is made the leader of each stream and consumer while nothing is killed; 0 is never")
)

// TestKilledBrokersLoseNothing kills the leader of INVOICES and then a follower, each under load and
// each started again on its data before the next.
func TestKilledBrokersLoseNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("in the short form: it runs processes of its own, which the race detector does not see")
	}
	programs := procs.Build(t)
	provider := procs.NewProvider(t, sandbox.Config{})
	c := cluster{t: t, brokers: procs.NewCluster(t, programs)}
	url := procs.URL(c.brokers...)
	c.bus, c.js = procs.Connect(t, url, len(c.brokers)), rig.JetStream(t, url)
	procs.Connect(t, url, 1)
	c.checkReplicas()
	erp := newDestination(t)
	workers := procs.Workers{T: t, Programs: programs, NATS: url, Provider: provider.Endpoint(), Shops: procs.DemoShops(t),
		Env: []string{"SEQRFLOW_REPLICAS=3", "SEQRFLOW_CONNECTIONS_FILE=" + erp.connections}}
	for range 2 {
		workers.Run("invoicer", "poller", "receipter", "canceler", "refunder", "notifier")
	}
	l := &load{bus: c.bus, provider: provider, acked: map[events.Key]outcome{}}
	c.events = procs.Follow(t, c.bus, l.onEvent)

	loading, unload := context.WithCancel(t.Context())
	defer unload()
	unloaded := make(chan struct{})
	go func() { defer close(unloaded); l.run(loading, *rate) }()
	c.waitForMore("the first orders", 2**rate)
	if *moves > 0 {
		c.moveLeaders(*moves)
	}
	for range *rounds {
		c.killAndRestart("leader")
		c.killAndRestart("follower")
	}
	still := c.events.LongestGap()
	unload()
	<-unloaded

	ctx, cancel := context.WithTimeout(t.Context(), procs.Patience)
	defer cancel()
	if !l.wait(ctx) {
		t.Errorf("orders that were acknowledged have no invoice; %s", c.state())
	}
	if busy := rig.Until(ctx, func(ctx context.Context) string { return rig.Busy(ctx, c.js) }); busy != "" {
		t.Errorf("not settled: %s", busy)
	}
	t.Logf("stood still: at most %s without a new event under load, from %s", still.Length.Round(time.Millisecond), still.From.Format("15:04:05.000"))
	ledger := provider.Ledger()
	history, comparison := rig.Audit(t, c.bus, ledger)
	rig.NoneParked(t, c.bus)
	acked, failed := l.result()
	if failed != nil {
		t.Error(failed)
	}
	last := history.Last()
	for k, o := range acked {
		if inv := last[k]; !o.fits(inv) {
			t.Errorf("order %s was acknowledged and %s; it is %q with %s refunded and the refunds %+v", k, o, inv.State, inv.Refunded, inv.Refunds)
		}
	}
	webhooks := erp.check(history)
	gap := provider.Polls.Longest()
	t.Logf("%d orders acknowledged, %d invoices, %d events, %d webhooks, %d unrecorded invoices at the provider, %d reversals; longest gap between two answered polls of one invoice %s, from %s",
		len(acked), len(last), c.events.Events(), webhooks, comparison.Unrecorded, len(ledger.Reversals), gap.Length.Round(time.Millisecond), gap.From.Format("15:04:05.000"))
}

// checkReplicas checks that a process which was not told of the replicas has left the streams all of them.
func (c cluster) checkReplicas() {
	c.t.Helper()
	s, err := c.js.Stream(c.t.Context(), events.InvoicesStream)
	if err != nil {
		c.t.Fatal(err)
	}
	if cfg := s.CachedInfo().Config; cfg.Replicas != len(c.brokers) || cfg.AllowDirect {
		c.t.Errorf("INVOICES has %d replicas, direct reads %v", cfg.Replicas, cfg.AllowDirect)
	}
}

// cluster is three brokers that can be killed, and a connection to them.
type cluster struct {
	t       *testing.T
	brokers []*procs.Broker
	bus     *bus.Bus
	js      jetstream.JetStream
	events  *procs.Follower
}

// killAndRestart kills the leader of INVOICES or one of its followers, waits until the work goes on without it,
// starts it again, and waits until it has caught up.
func (c *cluster) killAndRestart(role string) {
	c.t.Helper()
	leader := c.leader()
	killed := leader
	if role == "follower" {
		killed = c.brokers[(slices.Index(c.brokers, leader)+1)%len(c.brokers)]
	}
	at := time.Now()
	killed.Kill()
	c.waitForMore("events without the "+role, *rate)
	c.t.Logf("killed the %s, %s: %d more events %s later", role, killed.Name, *rate, time.Since(at).Round(time.Millisecond))
	killed.Start()
	c.waitUntilCurrent()
	c.t.Logf("%s is back and has caught up %s after the kill", killed.Name, time.Since(at).Round(time.Millisecond))
}

// waitForMore waits for n more events.
func (c *cluster) waitForMore(what string, n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	target := c.events.Events() + n
	if err := c.events.Wait(ctx, func() bool { return c.events.Events() >= target }); err != nil {
		c.t.Fatalf("%s: %d of %d events seen: %v; %s", what, c.events.Events(), target, err, c.state())
	}
}

// state describes the streams for a test that fails.
func (c *cluster) state() string {
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience/4)
	defer cancel()
	var out string
	for _, name := range []string{events.OrdersStream, events.InvoicesStream} {
		s, err := c.js.Stream(ctx, name)
		if err != nil {
			out += fmt.Sprintf("%s: %v; ", name, err)
			continue
		}
		out += fmt.Sprintf("%s has %d, led by %s; ", name, s.CachedInfo().State.LastSeq, s.CachedInfo().Cluster.Leader)
	}
	return out + rig.Busy(ctx, c.js)
}

// leader of INVOICES at this moment.
func (c *cluster) leader() *procs.Broker {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	var found *procs.Broker
	missing := rig.Until(ctx, func(ctx context.Context) string {
		s, err := c.js.Stream(ctx, events.InvoicesStream)
		if err != nil {
			return err.Error()
		}
		i := slices.IndexFunc(c.brokers, func(b *procs.Broker) bool { return b.Name == s.CachedInfo().Cluster.Leader })
		if i < 0 {
			return "there is no leader"
		}
		found = c.brokers[i]
		return ""
	})
	if missing != "" {
		c.t.Fatal(missing)
	}
	return found
}

// waitUntilCurrent waits until every replica of every stream is there and current.
func (c *cluster) waitUntilCurrent() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(ctx context.Context) (missing string) {
		for _, name := range []string{events.OrdersStream, events.InvoicesStream, events.ParkedStream} {
			s, err := c.js.Stream(ctx, name)
			if err != nil {
				return err.Error()
			}
			for _, r := range s.CachedInfo().Cluster.Replicas {
				if !r.Current || r.Offline {
					missing += fmt.Sprintf("%s of %s is %d behind; ", r.Name, name, r.Lag)
				}
			}
		}
		return missing
	})
	if missing != "" {
		c.t.Fatal(missing)
	}
}
