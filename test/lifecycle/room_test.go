package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// When the broker is nearly full nothing new is asked of the provider, and what is open goes on.
func TestNearlyFullBrokerStartsNoInvoiceAndFinishesOpenOnes(t *testing.T) {
	t.Parallel()
	r := start(t)
	const open = 95
	for i := range open {
		r.Place(rig.Order(fmt.Sprint(i), "10"))
	}
	for i := range open {
		r.Wait(fmt.Sprint(i), events.EventIssued)
	}
	r.limitInvoices(100)
	r.waitUntil(func() bool { return errors.Is(r.Bus.Room(t.Context(), 1000), bus.ErrNoRoom) })
	r.Place(rig.Order("new", "10"))
	r.pay("0")
	r.Wait("0", events.EventReceipted)
	if n := len(r.Sandbox.Ledger().Invoices); n != open {
		t.Errorf("%d invoices at the provider while the broker is full, expected %d", n, open)
	}
	r.limitInvoices(-1)
	r.pay("new")
	r.Wait("new", events.EventReceipted)
	if r.Parked() != 0 {
		t.Errorf("%d parked", r.Parked())
	}
}

// Letters that JSON may escape make an order no larger, and one that no event could hold is not asked for.
func TestLargeOrders(t *testing.T) {
	t.Parallel()
	r := start(t)
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

func TestInvoicesOfAReplacedTerminalAreStillHandled(t *testing.T) {
	t.Parallel()
	terminals := append(sandbox.DemoTerminals(), sandbox.Terminal{ID: "new-terminal", Password: "new-secret", Name: "New"})
	r := newSystem(t, sandbox.Config{Terminals: terminals, Resellers: sandbox.DemoResellers()})
	r.start(r.Client, poller.Name)
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.Run(poller.New(poller.Config{Bus: r.Bus, Provider: r.Client, Shops: replaced{}, Interval: 100 * time.Millisecond, Log: r.Log}))
	r.pay("1001")
	if inv := r.Wait("1001", events.EventPaid); inv.Terminal != "demo-terminal" {
		t.Errorf("%+v", inv)
	}
}

// INVOICES is full to the last message while buyers pay. After there is room everything goes on without a restart, no payment
// is lost, and every gauge says so.
func TestWorkResumesWhenAFullStreamHasRoom(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	reg := prometheus.NewRegistry()
	r.Bus = r.ConnectWith(bus.Config{Metrics: reg, Backoff: bus.Backoff{First: 20 * time.Millisecond, Most: time.Second}})
	r.start(r.Client, poller.Name)
	r.Run(poller.New(poller.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}, Interval: 100 * time.Millisecond, Metrics: reg, Log: r.Log}))
	for _, id := range []string{"0", "1", "2"} {
		r.Place(rig.Order(id, "10"))
	}
	for _, id := range []string{"0", "1", "2"} {
		r.Wait(id, events.EventIssued)
	}
	r.limitInvoices(3)
	r.pay("0")
	r.pay("1")
	r.waitForGauge(reg, "seqrflow_broker_refuses_writes", func(n float64) bool { return n == 1 })
	r.Place(rig.Order("new", "10"))
	r.waitForGauge(reg, "seqrflow_stuck_messages", func(n float64) bool { return n > 0 }) // the new order
	r.waitForGauge(reg, "seqrflow_open_invoices", func(n float64) bool { return n == 3 }) // none is lost, none was begun
	r.limitInvoices(-1)
	for _, id := range []string{"0", "1"} {
		r.Wait(id, events.EventReceipted)
	}
	for _, id := range []string{"2", "new"} {
		r.pay(id)
		r.Wait(id, events.EventReceipted)
	}
	for _, name := range []string{"seqrflow_broker_refuses_writes", "seqrflow_stuck_messages", "seqrflow_open_invoices", "seqrflow_unwatched_invoices", "seqrflow_poller_held_invoices"} {
		r.waitForGauge(reg, name, func(n float64) bool { return n == 0 })
	}
	if l := r.Sandbox.Ledger(); len(l.Reversals) != 0 || len(l.Invoices) != 4 || r.Parked() != 0 {
		t.Errorf("%d reversals, %d invoices at the provider, %d parked", len(l.Reversals), len(l.Invoices), r.Parked())
	}
}
