// Package rig is what tests run on: a real embedded broker on a fresh folder, the real sandbox over
// HTTP, and a real client between them. Only the far side of a fault is ever faked.
package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Patience is how long a test waits for a signal before it fails. It is never how long anything takes.
const Patience = 30 * time.Second

// Rig is one fresh world.
type Rig struct {
	T       testing.TB
	NATS    *natsd.Server
	Bus     *bus.Bus
	Sandbox *sandbox.Sandbox
	Server  *httptest.Server
	Client  *seqr.Client
	Log     zerolog.Logger

	js jetstream.JetStream
}

// Shop is the shop that rigs serve, with the sandbox's demo credentials.
const Shop = "acme"

// Shops serves every shop but "nobody" with the sandbox's demo terminal.
type Shops struct{}

// Terminal implements calls.Shops.
func (Shops) Terminal(shop string) (seqr.Principal, bool) {
	return seqr.Terminal("demo-terminal", "demo-secret"), shop != "nobody"
}

// TerminalOf implements calls.Shops.
func (s Shops) TerminalOf(shop, _ string) (seqr.Principal, bool) { return s.Terminal(shop) }

// New rig; it ends with the test.
func New(t testing.TB, cfg sandbox.Config) *Rig {
	t.Helper()
	r := &Rig{T: t, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)}
	var err error
	if r.NATS, err = natsd.Start(natsd.Config{Data: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.NATS.Close)
	r.Bus, r.js = r.Connect(), JetStream(t, r.NATS)
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

// Connect makes another connection to the rig's broker.
func (r *Rig) Connect() *bus.Bus {
	r.T.Helper()
	b, err := bus.Connect(r.T.Context(), bus.Config{Name: "rig", Options: []nats.Option{r.NATS.InProcess()}, Log: r.Log,
		Backoff: bus.Backoff{First: 20 * time.Millisecond, Most: time.Second}})
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(b.Close)
	return b
}

// NewClient makes another client of the rig's sandbox.
func (r *Rig) NewClient() *seqr.Client {
	r.T.Helper()
	c, err := seqr.New(seqr.Config{Endpoint: r.Server.URL + sandbox.Path, ClientID: "Rig AB", ClientReference: "rig/1"})
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(c.CloseIdle)
	return c
}

// Run runs a worker until the returned function is called, at the latest until the test ends.
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

// Amount of a literal.
func Amount(s string) events.Amount {
	a, err := events.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

// Order of one row.
func Order(id, total string) events.Order {
	return events.Order{OrderID: id, Shop: Shop, Currency: "SEK", Total: Amount(total),
		Rows: []events.Row{{Description: "Kaffe", Quantity: Amount("1").Decimal(), Total: Amount(total)}}}
}

// Place publishes the order.
func (r *Rig) Place(o events.Order) { r.publish(o.Shop, o.OrderID, events.Placed, o) }

// Cancel publishes the cancellation of an order.
func (r *Rig) Cancel(id string) {
	r.publish(Shop, id, events.OrderCanceled, events.Cancellation{OrderID: id, Shop: Shop})
}

// CancelTry publishes the cancellation of one try of an order.
func (r *Rig) CancelTry(id, invoice string) {
	r.publish(Shop, id, events.OrderCanceled, events.Cancellation{OrderID: id, InvoiceID: invoice, Shop: Shop})
}

// Return publishes a return; amount "" asks for all that is left.
func (r *Rig) Return(id, refundID, amount string) {
	ret := events.Return{OrderID: id, Shop: Shop, RefundID: refundID}
	if amount != "" {
		a := Amount(amount)
		ret.Amount = &a
	}
	r.publish(Shop, id, events.Returned, ret)
}

func (r *Rig) publish(shop, order string, e events.OrderName, data any) {
	r.T.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		r.T.Fatal(err)
	}
	r.Raw(events.OrderSubject(shop, order, e), body)
}

// Raw publishes any body on any subject of a stream.
func (r *Rig) Raw(subject string, body []byte) {
	r.T.Helper()
	if err := r.Bus.PublishRaw(r.T.Context(), subject, "", body); err != nil {
		r.T.Fatal(err)
	}
}

// JetStream is a client of the broker over a connection of its own, for what the bus has no question for.
func (r *Rig) JetStream() jetstream.JetStream { return r.js }

// JetStream connects a client to the broker until the test ends.
func JetStream(t testing.TB, broker *natsd.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", broker.InProcess())
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

// Wait for an event of an invoice, past or to come, and give the invoice after it.
func (r *Rig) Wait(id string, e events.Name) events.Invoice {
	r.T.Helper()
	return r.WaitFor(id, e, func(events.Invoice) bool { return true })
}

// WaitFor waits for an event of an invoice that fits.
func (r *Rig) WaitFor(id string, e events.Name, fits func(events.Invoice) bool) events.Invoice {
	r.T.Helper()
	var found events.Invoice
	r.await("invoices."+Shop+"."+events.Token(id)+"."+string(e), func(m bus.Entry) bool {
		inv, err := bus.DecodeInvoice(m.Body)
		if err != nil {
			r.T.Fatal(err)
		}
		found = inv
		return fits(inv)
	})
	return found
}

// WaitParked waits for a parked message of the worker.
func (r *Rig) WaitParked(worker, id string) events.Parked {
	r.T.Helper()
	var found events.Parked
	r.await(events.ParkedSubject(worker, Shop, id), func(m bus.Entry) bool {
		p, event, err := bus.DecodeParked(m.Body)
		if err != nil {
			r.T.Fatal(err)
		}
		found = p
		return event == events.ParkedParked
	})
	return found
}

// First gives the body of the first message on a subject, past or to come.
func (r *Rig) First(subject string) []byte {
	r.T.Helper()
	var body []byte
	r.await(subject, func(m bus.Entry) bool {
		body = m.Body
		return true
	})
	return body
}

var streamOf = map[string]string{"orders": events.OrdersStream, "invoices": events.InvoicesStream, "parked": events.ParkedStream, "periods": events.PeriodsStream, "open": events.OpenStream}

// await follows the subject until a message fits, and takes none after that.
func (r *Rig) await(subject string, fits func(bus.Entry) bool) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.T.Context(), Patience)
	defer cancel()
	kind, _, _ := strings.Cut(subject, ".")
	source := bus.Source{Stream: streamOf[kind], Filters: []string{subject}, All: true}
	err := r.Bus.Follow(ctx, []bus.Source{source}, nil, func(e bus.Entry) error {
		if fits(e) {
			return bus.ErrStop
		}
		return nil
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		r.T.Fatalf("no %s within %s: %v\n%s", subject, Patience, err, r.history())
	}
}

// History of an invoice: its events in order.
func (r *Rig) History(id string) []events.Name {
	r.T.Helper()
	var out []events.Name
	for _, m := range r.all(events.InvoicesStream) {
		a, err := events.ParseSubject(m.Subject)
		if err != nil {
			r.T.Fatal(err)
		}
		if a.Key() == events.KeyOf(Shop, id) {
			out = append(out, events.Name(a.Event))
		}
	}
	return out
}

// Parked counts the parked messages.
func (r *Rig) Parked() int { return len(r.all(events.ParkedStream)) }

func (r *Rig) all(stream string) (out []bus.Entry) {
	r.T.Helper()
	if _, err := r.Bus.Scan(context.Background(), bus.Scan{Stream: stream}, func(e bus.Entry) error {
		out = append(out, e)
		return nil
	}); err != nil {
		r.T.Fatal(err)
	}
	return out
}

func (r *Rig) history() string {
	out := ""
	for _, stream := range []string{events.OrdersStream, events.InvoicesStream, events.ParkedStream} {
		for _, m := range r.all(stream) {
			out += fmt.Sprintf("%s %s %.300s\n", m.Time.Format("15:04:05.000"), m.Subject, m.Body)
		}
	}
	return out
}

// Reference of the sandbox's invoice for an order; the last one when there were several.
func (r *Rig) Reference(id string) string {
	r.T.Helper()
	for _, inv := range slices.Backward(r.Sandbox.Ledger().Invoices) {
		if inv.ClientInvoiceID == id {
			return inv.InvoiceReference
		}
	}
	r.T.Fatalf("the sandbox has no invoice for %s", id)
	return ""
}

// Idle waits until every consumer of the broker has had and acknowledged everything.
func (r *Rig) Idle() { r.T.Helper(); r.IdleBut("") }

// IdleBut is Idle for all consumers but one, whose worker does not run.
func (r *Rig) IdleBut(consumer string) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for {
		if r.idle(ctx, consumer) {
			return
		}
		select {
		case <-ctx.Done():
			r.T.Fatalf("not idle within %s\n%s", Patience, r.history())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (r *Rig) idle(ctx context.Context, but string) bool {
	quiet := true
	for _, stream := range streamOf {
		s, err := r.JetStream().Stream(ctx, stream)
		if err != nil {
			return false
		}
		for c := range s.ListConsumers(ctx).Info() { // to its end, else its goroutine stays
			if c.Config.Durable != "" && c.Config.Durable != but && (c.NumPending > 0 || c.NumAckPending > 0) {
				quiet = false
			}
		}
	}
	return quiet
}
