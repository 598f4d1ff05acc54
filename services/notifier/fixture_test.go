package notifier_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// system stands for a shop's system: it notes what it took, in order, and answers as the test says.
type system struct {
	answer atomic.Pointer[func(n commerce.Notice) commerce.Result]

	mu      sync.Mutex
	asked   int
	took    []string // "<invoice> <event>"
	changed chan struct{}
}

func newSystem(answer func(n commerce.Notice) commerce.Result) *system {
	s := &system{changed: make(chan struct{})}
	s.answers(answer)
	return s
}

func (s *system) answers(answer func(n commerce.Notice) commerce.Result) { s.answer.Store(&answer) }

func takes(commerce.Notice) commerce.Result {
	return commerce.Result{Status: commerce.Delivered, Code: 200}
}

func dead(commerce.Notice) commerce.Result {
	return commerce.Result{Status: commerce.Again, Detail: "connection refused"}
}

// Deliver implements commerce.Outbound.
func (s *system) Deliver(_ context.Context, n commerce.Notice) commerce.Result {
	r := (*s.answer.Load())(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if r.Status == commerce.Delivered {
		s.took = append(s.took, n.Invoice.InvoiceID+" "+string(n.Name))
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return r
}

// wait waits until what the system took, and how often it was asked, fits.
func (s *system) wait(t *testing.T, fits func(took []string, asked int) bool) {
	t.Helper()
	timeout := time.After(rig.Patience)
	for {
		s.mu.Lock()
		ok, changed, took, asked := fits(s.took, s.asked), s.changed, slices.Clone(s.took), s.asked
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("after %s the system was asked %d times and took %q", rig.Patience, asked, took)
		}
	}
}

// waitFor waits until the system took as many events.
func (s *system) waitFor(t *testing.T, n int) {
	t.Helper()
	s.wait(t, func(took []string, _ int) bool { return len(took) >= n })
}

// waitAsked waits until the system was asked so many times more.
func (s *system) waitAsked(t *testing.T, more int) {
	t.Helper()
	s.mu.Lock()
	want := s.asked + more
	s.mu.Unlock()
	s.wait(t, func(_ []string, asked int) bool { return asked >= want })
}

// of gives the events that the system took of an invoice, in order.
func (s *system) of(invoice string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, line := range s.took {
		if id, e, _ := strings.Cut(line, " "); id == invoice {
			out = append(out, e)
		}
	}
	return strings.Join(out, " ")
}

// fixture is a broker, and a clock that a test may set forward.
type fixture struct {
	*rig.Rig
	t     *testing.T
	ahead atomic.Int64
	conns connections.File
}

// newFixture makes the durables of the destinations of one shop.
func newFixture(t *testing.T, destinations ...string) *fixture {
	t.Helper()
	f := &fixture{Rig: rig.New(t, sandbox.Config{}), t: t}
	f.conns = connected(destinations...)
	f.provision()
	return f
}

func connected(destinations ...string) connections.File {
	var c connections.Connection
	for _, name := range destinations {
		c.Webhooks = append(c.Webhooks, connections.Webhook{Name: name})
	}
	return connections.File{Connections: map[string]connections.Connection{rig.Shop: c}}
}

func (f *fixture) provision() {
	f.t.Helper()
	if err := f.Bus.EnsureConsumers(f.t.Context(), notifier.Consumers(f.conns)); err != nil {
		f.t.Fatal(err)
	}
}

// now is the time by the clock of the notifiers.
func (f *fixture) now() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }

func (f *fixture) forward(d time.Duration) { f.ahead.Add(int64(d)) }

// start runs a notifier, with short pauses, that tells each system as the destination of that name.
func (f *fixture) start(systems map[string]*system) (stop func()) {
	f.t.Helper()
	return f.startWith(notifier.Config{}, systems)
}

func (f *fixture) startWith(c notifier.Config, systems map[string]*system) (stop func()) {
	f.t.Helper()
	c.Bus = f.ConnectWith(bus.Config{Now: f.now, Backoff: bus.Backoff{First: time.Millisecond, Most: 20 * time.Millisecond}})
	c.Log = f.Log
	if c.Backoff == (bus.Backoff{}) {
		c.Backoff = bus.Backoff{First: time.Millisecond, Most: 20 * time.Millisecond}
	}
	c.Probes = bus.Backoff{First: time.Millisecond, Most: 20 * time.Millisecond}
	for name, s := range systems {
		c.Destinations = append(c.Destinations, notifier.Destination{Shop: rig.Shop, Name: name, Outbound: s})
	}
	return f.Run(notifier.New(c))
}

// issue records that an invoice was issued.
func (f *fixture) issue(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		f.Record(rig.Recorded{ID: id, Reference: "ref-" + id, Unindexed: true, Unhinted: true})
	}
}

// pay records that an invoice was paid and receipted.
func (f *fixture) pay(ids ...string) {
	f.t.Helper()
	fact := events.Fact{At: time.Now(), Why: "test"}
	for _, id := range ids {
		rig.AppendEvents(f.t, f.Bus, events.KeyOf(rig.Shop, id),
			func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+id, "poller", fact) },
			func(inv events.Invoice) (events.Invoice, error) {
				return inv.ReceiptedWith(events.Receipt{MIMEType: "t", SHA256: "s", Bytes: 1}, fact)
			})
	}
}

const wholeLife = "issued paid receipted"

func ids(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint("o", i))
	}
	return out
}

// attempts gives the attempts of a destination for an invoice, in order.
func (f *fixture) attempts(destination, invoice string) (out []events.DeliveryAttempt) {
	f.t.Helper()
	subject := events.DeliverySubject(events.KeyOf(rig.Shop, invoice), destination)
	if _, err := f.Bus.Scan(f.t.Context(), bus.Scan{Stream: events.DeliveriesStream, Filters: []string{subject}}, func(e bus.Entry) error {
		a, err := events.DecodeDelivery(e.Body)
		out = append(out, a)
		return err
	}); err != nil {
		f.t.Fatal(err)
	}
	return out
}

// pending is how many messages the broker has delivered to copies and has no end of.
func (f *fixture) pending(destination string) int {
	f.t.Helper()
	c, err := f.JetStream().Consumer(f.t.Context(), events.InvoicesStream, notifier.ConsumerName(rig.Shop, destination))
	if err != nil {
		f.t.Fatal(err)
	}
	return c.CachedInfo().NumAckPending
}
