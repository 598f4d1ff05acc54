package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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

// limit sets how many messages INVOICES may have, as an operator would.
func limit(t *testing.T, r *rig.Rig, messages int64) {
	t.Helper()
	s, err := r.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = messages
	if _, err := r.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// When the broker is nearly full nothing new is asked of the provider, and what is open goes on.
func TestFullBrokerBeginsNothingAndEndsWhatIsOpen(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startAll(r)
	const open = 95
	for i := range open {
		r.Place(rig.Order(fmt.Sprint(i), "10"))
	}
	for i := range open {
		r.Wait(fmt.Sprint(i), events.EventIssued)
	}
	limit(t, r, 100)
	for deadline := time.Now().Add(rig.Patience); !errors.Is(r.Bus.Room(t.Context(), 1000), bus.ErrNoRoom); {
		if time.Now().After(deadline) {
			t.Fatal("the limit was never noticed")
		}
	}
	r.Place(rig.Order("new", "10"))
	pay(t, r, "0")
	r.Wait("0", events.EventReceipted)
	if n := len(r.Sandbox.Ledger().Invoices); n != open {
		t.Errorf("%d invoices at the provider while the broker is full, expected %d", n, open)
	}
	limit(t, r, -1)
	pay(t, r, "new")
	r.Wait("new", events.EventReceipted)
	if r.Parked() != 0 {
		t.Errorf("%d parked", r.Parked())
	}
}

// Letters that JSON may escape make an order no larger, and one that no event could hold is not asked for.
func TestLargeOrders(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	startAll(r)
	o := rig.Order("large", "10")
	o.Rows = nil
	for range 400 {
		o.Rows = append(o.Rows, events.Row{Description: strings.Repeat("<", 450), Quantity: rig.Amount("1").Decimal(), Total: rig.Amount("0")})
	}
	o.Rows = append(o.Rows, events.Row{Description: "Kaffe & bulle", Quantity: rig.Amount("1").Decimal(), Total: rig.Amount("10")})
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(o); err != nil {
		t.Fatal(err)
	}
	r.Raw("orders."+rig.Shop+".large.placed", body.Bytes())
	inv := r.Wait("large", events.EventIssued)
	if inv.Order == nil || len(inv.Order.Rows) != 401 || inv.Order.Rows[0].Description != o.Rows[0].Description {
		t.Error("the order is not in the event as it was placed")
	}
	if event := r.First("invoices." + rig.Shop + ".large.issued"); len(event) > body.Len()*5/4 {
		t.Errorf("an event of %d bytes of an order of %d", len(event), body.Len())
	}
}

// replaced is a shop that has another terminal now; its older invoices are the old one's.
type replaced struct{ rig.Shops }

func (replaced) Terminal(string) (seqr.Principal, bool) {
	return seqr.Terminal("new-terminal", "new-secret"), true
}

func (replaced) TerminalOf(_, terminal string) (seqr.Principal, bool) {
	if terminal == "demo-terminal" {
		return seqr.Terminal("demo-terminal", "demo-secret"), true
	}
	return seqr.Terminal("new-terminal", "new-secret"), terminal == "new-terminal"
}

func TestInvoicesOfAReplacedTerminalGoOn(t *testing.T) {
	terminals := append(sandbox.DemoTerminals(), sandbox.Terminal{ID: "new-terminal", Password: "new-secret", Name: "New"})
	r := rig.New(t, sandbox.Config{Terminals: terminals, Resellers: sandbox.DemoResellers()})
	startWith(r, r.Client, poller.Name)
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.Run(poller.New(poller.Config{Bus: r.Bus, Provider: r.Client, Shops: replaced{}, Interval: 100 * time.Millisecond, Log: r.Log}))
	pay(t, r, "1001")
	if inv := r.Wait("1001", events.EventPaid); inv.Terminal != "demo-terminal" {
		t.Errorf("%+v", inv)
	}
}

// gauge is the sum over all labels of a metric.
func gauge(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetGauge().GetValue()
		}
	}
	return sum
}

// awaitGauge waits until a gauge fits.
func awaitGauge(t *testing.T, reg *prometheus.Registry, name string, fits func(float64) bool) {
	t.Helper()
	for deadline := time.Now().Add(rig.Patience); !fits(gauge(t, reg, name)); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is %v", name, gauge(t, reg, name))
		}
	}
}

// INVOICES is full to the last message while buyers pay. After there is room everything goes on without a restart, no payment
// is lost, and every gauge says so.
func TestSystemGoesOnByItselfWhenThereIsRoomAgain(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	reg := prometheus.NewRegistry()
	b, err := bus.Connect(t.Context(), bus.Config{Name: "measured", Options: []nats.Option{r.NATS.InProcess()}, Log: r.Log, Metrics: reg,
		Backoff: bus.Backoff{First: 20 * time.Millisecond, Most: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	r.Bus = b
	for name, w := range workers(r, r.Client) {
		if name == poller.Name {
			w = poller.New(poller.Config{Bus: b, Provider: r.Client, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Metrics: reg, Log: r.Log})
		}
		r.Run(w)
	}
	for _, id := range []string{"0", "1", "2"} {
		r.Place(rig.Order(id, "10"))
	}
	for _, id := range []string{"0", "1", "2"} {
		r.Wait(id, events.EventIssued)
	}
	limit(t, r, 3)
	pay(t, r, "0")
	pay(t, r, "1")
	awaitGauge(t, reg, "seqrflow_broker_refuses_writes", func(n float64) bool { return n == 1 })
	r.Place(rig.Order("new", "10"))
	awaitGauge(t, reg, "seqrflow_stuck_messages", func(n float64) bool { return n > 0 }) // the new order
	awaitGauge(t, reg, "seqrflow_open_invoices", func(n float64) bool { return n == 3 }) // none is lost, none was begun
	limit(t, r, -1)
	for _, id := range []string{"0", "1"} {
		r.Wait(id, events.EventReceipted)
	}
	for _, id := range []string{"2", "new"} {
		pay(t, r, id)
		r.Wait(id, events.EventReceipted)
	}
	for _, name := range []string{"seqrflow_broker_refuses_writes", "seqrflow_stuck_messages", "seqrflow_open_invoices", "seqrflow_unwatched_invoices", "seqrflow_poller_held_invoices"} {
		awaitGauge(t, reg, name, func(n float64) bool { return n == 0 })
	}
	if l := r.Sandbox.Ledger(); len(l.Reversals) != 0 || len(l.Invoices) != 4 || r.Parked() != 0 {
		t.Errorf("%d reversals, %d invoices at the provider, %d parked", len(l.Reversals), len(l.Invoices), r.Parked())
	}
}
