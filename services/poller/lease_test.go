package poller_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// cable is a way to the broker that can be cut and mended.
type cable struct {
	broker nats.InProcessConnProvider
	mu     sync.Mutex
	cut    bool
	open   []net.Conn

	hangs    atomic.Bool
	released chan struct{} // what hangs goes on
}

// InProcessConn implements nats.InProcessConnProvider.
func (c *cable) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, net.ErrClosed
	}
	conn, err := c.broker.InProcessConn()
	c.open = append(c.open, conn)
	return hangingConn{conn, c}, err
}

// hangingConn is a connection whose writes never end once its cable hangs, as when the broker reads nothing any more.
type hangingConn struct {
	net.Conn
	c *cable
}

func (h hangingConn) Write(b []byte) (int, error) {
	if h.c.hangs.Load() {
		<-h.c.released
	}
	return h.Conn.Write(b)
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for _, conn := range c.open {
		_ = conn.Close()
	}
	c.open = nil
}

// connectByCable connects to the rig's broker by a way of its own.
func connectByCable(t *testing.T, r *rig.Rig) (*cable, *bus.Bus) {
	t.Helper()
	var direct nats.Options
	if err := r.NATS.InProcess()(&direct); err != nil {
		t.Fatal(err)
	}
	way := &cable{broker: direct.InProcessServer, released: make(chan struct{})}
	b, err := bus.Connect(t.Context(), bus.Config{AckWait: time.Second, Log: r.Log, Options: []nats.Option{nats.InProcessServer(way)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return way, b
}

// While writes to the broker hang, a payment that is fetched is still not reversed: polling goes on.
func TestPollingGoesOnWhileTheConnectionToTheBrokerHangs(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	way, hung := connectByCable(t, r)
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	p := always(seqr.StatusIssued, nil)
	cfg := config(r, p)
	cfg.Bus = hung
	r.Run(poller.New(cfg))
	p.await(t, "ref", 2)
	way.hangs.Store(true)
	defer close(way.released)
	p.await(t, "ref", p.times("ref")+50) // 5 s: some figures are published each second
}

// A copy that is cut off from the broker, and not from the provider, goes on asking, since a payment that is fetched is not
// reversed. Once it is back it leaves what the other copy has taken meanwhile to that one, and counts none of it as its own.
func TestCopyThatWasCutOffLeavesItsInvoicesToTheOther(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	const n = 20
	recordAll(t, r, n, func(i int) rig.Recorded { return rig.Recorded{ID: fmt.Sprint(i), Reference: fmt.Sprint(i)} })
	way, cut := connectByCable(t, r)
	cutOff, other := always(seqr.StatusIssued, nil), always(seqr.StatusIssued, nil)
	cfg, reg := config(r, cutOff), prometheus.NewRegistry()
	cfg.Bus, cfg.Metrics = cut, reg
	r.Run(poller.New(cfg))
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == n })
	way.set(true)
	cfg = config(r, other)
	cfg.Bus, cfg.Metrics = r.ConnectWith(bus.Config{AckWait: time.Second}), prometheus.NewRegistry()
	r.Run(poller.New(cfg))
	for i := range n {
		other.await(t, fmt.Sprint(i), 2)
	}
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == 0 })
	cutOff.await(t, "0", cutOff.times("0")+2)
	way.set(false)
	asked := func() map[string]int {
		out := map[string]int{}
		for i := range n {
			out[fmt.Sprint(i)] = cutOff.times(fmt.Sprint(i))
		}
		return out
	}
	patience := time.After(rig.Patience)
	for { // what the other copy gives back for the sake of balance is its own again
		before := asked()
		other.await(t, "0", other.times("0")+4)
		quiet := 0
		for id, times := range asked() {
			if times == before[id] {
				quiet++
			}
		}
		if held, _ := value(t, reg, "seqrflow_poller_held_invoices"); quiet+int(held) >= n {
			return
		}
		select {
		case <-patience:
			t.Fatalf("asks about %d invoices that it does not have", n-quiet)
		default:
		}
	}
}

// A copy whose leases are lost, and that is connected again, goes on asking while no other copy has got its invoices: in a cluster one
// broker after another may die meanwhile.
func TestPollingGoesOnWhileNoCopyHasTheLease(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	way, b := connectByCable(t, r)
	r.Record(rig.Recorded{ID: "1", Reference: "ref"})
	p := always(seqr.StatusIssued, nil)
	cfg, reg := config(r, p), prometheus.NewRegistry()
	cfg.Bus, cfg.Metrics = b, reg
	r.Run(poller.New(cfg))
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == 1 })
	c := poller.Consumers()[0]
	if _, err := r.JetStream().PauseConsumer(t.Context(), c.Stream, c.Name, time.Now().Add(2*rig.Patience)); err != nil {
		t.Fatal(err)
	}
	way.set(true)
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == 0 })
	way.set(false)
	p.await(t, "ref", p.times("ref")+45) // 4.5 s, of the 6 for which it goes on
}

// Until the clock was compared with the broker's it is not known how old an entry is: it is kept.
func TestNothingIsForgottenBeforeTheClockIsKnown(t *testing.T) {
	t.Parallel()
	r := rig.New(t, sandbox.Config{})
	if _, _, err := r.Bus.IndexOpen(t.Context(), events.KeyOf(rig.Shop, "1"), 1); err != nil {
		t.Fatal(err)
	}
	compared, tries := make(chan struct{}), atomic.Int32{}
	ahead := func() time.Time { return time.Now().Add(2 * time.Hour) }
	p := always(seqr.StatusIssued, nil)
	cfg, reg := config(r, p), prometheus.NewRegistry()
	cfg.Metrics = reg
	cfg.Bus = r.ConnectWith(bus.Config{Now: ahead, Clock: func() time.Time {
		tries.Add(1)
		<-compared
		return ahead()
	}})
	stop := r.Run(poller.New(cfg))
	awaitValue(t, reg, "seqrflow_poller_held_invoices", func(v float64) bool { return v == 1 })
	r.Record(rig.Recorded{ID: "1", Reference: "ref", Unindexed: true})
	p.await(t, "ref", 1)
	if tries.Load() == 0 {
		t.Error("the first poll came before the comparing of clocks had begun")
	}
	close(compared)
	stop()
}
