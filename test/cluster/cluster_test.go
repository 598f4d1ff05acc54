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
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/test/procs"
)

var (
	rate   = flag.Int("rate", 15, "orders a second")
	rounds = flag.Int("rounds", 1, "how often the leader and then a follower is killed")
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
	c.bus, c.js = procs.Connect(t, url, len(c.brokers)), procs.JetStream(t, url)
	procs.Connect(t, url, 1)
	c.keepsReplicas()
	crew := procs.Crew{T: t, Programs: programs, NATS: url, Provider: provider.Endpoint(), Shops: procs.DemoShops(t), Env: []string{"SEQRFLOW_REPLICAS=3"}}
	for range 2 {
		crew.Run("invoicer", "poller", "receipter", "canceler", "refunder")
	}
	l := &load{bus: c.bus, provider: provider}
	c.history = procs.Follow(t, c.bus, l.see)

	loading, unload := context.WithCancel(t.Context())
	defer unload()
	unloaded := make(chan struct{})
	go func() { defer close(unloaded); l.run(loading, *rate) }()
	c.resumes("the first orders", 2**rate)
	for range *rounds {
		c.strike("leader")
		c.strike("follower")
	}
	still := c.history.StoodStill()
	unload()
	<-unloaded
	l.buyers.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), procs.Patience)
	defer cancel()
	if busy := procs.Until(ctx, func(ctx context.Context) string { return procs.Idle(ctx, c.js) }); busy != "" {
		t.Errorf("not settled: %s", busy)
	}
	t.Logf("stood still: at most %s without a new event under load, from %s", still.Length.Round(time.Millisecond), still.From.Format("15:04:05.000"))
	judge(t, c.bus, l, provider)
}

// keepsReplicas sees that a process which was not told of the replicas has taken them from nobody.
func (c cluster) keepsReplicas() {
	c.t.Helper()
	s, err := c.js.Stream(c.t.Context(), events.InvoicesStream)
	if err != nil {
		c.t.Fatal(err)
	}
	if cfg := s.CachedInfo().Config; cfg.Replicas != len(c.brokers) || cfg.AllowDirect {
		c.t.Errorf("INVOICES has %d replicas, direct reads %v", cfg.Replicas, cfg.AllowDirect)
	}
}

func judge(t *testing.T, b *bus.Bus, l *load, provider *procs.Provider) {
	t.Helper()
	acked, failed := l.result()
	if failed != nil {
		t.Error(failed)
	}
	h, err := procs.ReadHistory(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range h.Wrong() {
		t.Errorf("history: %s", wrong)
	}
	books := procs.Compare(provider.Ledger(), h.Last())
	for _, d := range books.Differences {
		t.Errorf("ledger: %s", d)
	}
	for _, k := range acked {
		if s := books.Last[k].State; s != events.Receipted {
			t.Errorf("order %s was acknowledged and is %q; want %s", k, s, events.Receipted)
		}
	}
	if n, err := procs.Parked(t.Context(), b); err != nil || n > 0 {
		t.Errorf("%d messages are parked (%v); want none", n, err)
	}
	seq, issued := h.Seq(events.EventIssued)
	gap := provider.Polls.Longest()
	t.Logf("%d orders acknowledged, %d invoices, %d events, %d unseen bills, %d reversals; longest gap between two answered polls of one invoice %s",
		len(acked), issued, seq, books.Orphans, len(books.Ledger.Reversals), gap.Length.Round(time.Millisecond))
}

// cluster is the brokers and who kills them.
type cluster struct {
	t       *testing.T
	brokers []*procs.Broker
	bus     *bus.Bus
	js      jetstream.JetStream
	history *procs.History
}

// strike kills the leader of INVOICES or one of its followers, waits until the work goes on without it,
// starts it again, and waits until it has caught up.
func (c *cluster) strike(role string) {
	c.t.Helper()
	leader := c.leader()
	victim := leader
	if role == "follower" {
		victim = c.brokers[(slices.Index(c.brokers, leader)+1)%len(c.brokers)]
	}
	at := time.Now()
	victim.Kill()
	c.resumes("events without the "+role, *rate)
	c.t.Logf("killed the %s, %s: %d more events %s later", role, victim.Name, *rate, time.Since(at).Round(time.Millisecond))
	victim.Start()
	c.whole()
	c.t.Logf("%s is back and has caught up %s after the kill", victim.Name, time.Since(at).Round(time.Millisecond))
}

// resumes waits for n more events.
func (c *cluster) resumes(what string, n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	target := c.count() + n
	if err := c.history.Await(ctx, func() bool { return c.count() >= target }); err != nil {
		c.t.Fatalf("%s: %d of %d events seen: %v; %s", what, c.count(), target, err, c.state())
	}
}

// state of the streams, as the brokers tell it, for a test that fails.
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
	return out + procs.Idle(ctx, c.js)
}

func (c *cluster) count() int {
	seq, _ := c.history.Seq(events.EventIssued)
	return int(seq)
}

// leader of INVOICES at this moment.
func (c *cluster) leader() *procs.Broker {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	var found *procs.Broker
	missing := procs.Until(ctx, func(ctx context.Context) string {
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

// whole waits until every replica of every stream is there and current.
func (c *cluster) whole() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), procs.Patience)
	defer cancel()
	missing := procs.Until(ctx, func(ctx context.Context) (missing string) {
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
