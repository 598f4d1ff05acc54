package bus_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
)

// cable is a way to the broker over which nothing comes for a while, though it looks sound: what is written is kept.
type cable struct {
	mu   sync.Mutex
	cond *sync.Cond
	cut  bool
	kept []byte
	conn net.Conn
}

func newCable() *cable {
	c := &cable{}
	c.cond = sync.NewCond(&c.mu)
	return c
}

// Dial implements nats.CustomDialer.
func (c *cable) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	return &wire{conn, c}, nil
}

// set cuts the cable, or mends it: what was kept arrives first.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = cut; !cut {
		_, _ = c.conn.Write(c.kept)
		c.kept = nil
		c.cond.Broadcast()
	}
}

type wire struct {
	net.Conn
	c *cable
}

func (w *wire) Write(b []byte) (int, error) {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	if w.c.cut {
		w.c.kept = append(w.c.kept, b...)
		return len(b), nil
	}
	return w.Conn.Write(b)
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	for w.c.cut {
		w.c.cond.Wait()
	}
	return n, err
}

// leasing runs a copy that keeps everything it gets, and gives its leases.
func leasing(t *testing.T, url string, c *cable) (*bus.Bus, chan *bus.Lease) {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{URL: url, Name: "test", AckWait: time.Second, Options: []nats.Option{nats.SetCustomDialer(c)}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(chan *bus.Lease, 100)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Lease(ctx, consumer("invoicer"), func(l *bus.Lease) { got <- l }, func() {})
	}()
	t.Cleanup(func() { c.set(false); cancel(); <-ended })
	return b, got
}

// next gives the leases of so many messages.
func next(t *testing.T, got chan *bus.Lease, n int) map[string]*bus.Lease {
	t.Helper()
	out := map[string]*bus.Lease{}
	for tooLong := time.After(patience); len(out) < n; {
		select {
		case l := <-got:
			out[l.Subject] = l
		case <-tooLong:
			t.Fatalf("%d leases; want %d", len(out), n)
		}
	}
	return out
}

// A copy that is cut off knows by itself that it has lost its leases, and has no say any more when it is back: it neither
// removes a message that another copy has now, nor keeps it for that one when that one is dead.
func TestLeaseThatWasLostStaysLost(t *testing.T) {
	t.Parallel()
	s, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	cables := []*cable{newCable(), newCable(), newCable()}
	a, gotA := leasing(t, s.URL(), cables[0])
	subjects := []string{"orders.acme.done.placed", "orders.acme.kept.placed"}
	for _, subject := range subjects {
		if err := a.PublishRaw(t.Context(), subject, "", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	ofA := next(t, gotA, 2)
	cables[0].set(true)
	b, gotB := leasing(t, s.URL(), cables[1])
	next(t, gotB, 2)
	for _, l := range ofA {
		if !l.Lost() {
			t.Errorf("a copy that is cut off counts %s as its own, though another has it", l.Subject)
		}
	}
	cables[0].set(false)
	if err := a.Conn().FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	ofA[subjects[0]].Done(t.Context())
	if err := a.Conn().FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	cons, err := b.JetStream().Consumer(t.Context(), "ORDERS", "invoicer")
	if err != nil {
		t.Fatal(err)
	}
	if n := cons.CachedInfo().NumAckPending; n != 2 {
		t.Errorf("%d messages wait for the other copy's word after the one that was cut off had its say; want 2", n)
	}
	cables[1].set(true) // that one dies
	_, gotC := leasing(t, s.URL(), cables[2])
	tooLong := time.After(patience)
	for have := map[string]bool{}; len(have) < 2; {
		select {
		case l := <-gotC:
			have[l.Subject] = true
		case l := <-gotA: // as a lease of its own, which is as well
			have[l.Subject] = true
		case <-tooLong:
			t.Fatalf("only %v came to a copy that lives", have)
		}
	}
}
