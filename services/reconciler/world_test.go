package reconciler_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/govalues/decimal"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a real broker, a real sandbox behind HTTP and the real client; time at the provider is manual.
type world struct {
	t       *testing.T
	broker  *natsd.Server
	bus     *bus.Bus
	sandbox *sandbox.Sandbox
	client  *seqr.Client
	shops   shops
}

const terminal = "demo-terminal"

func newWorld(t *testing.T) *world {
	t.Helper()
	srv, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{srv.InProcess()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	sb, err := sandbox.New(sandbox.Config{ManualClock: true, Start: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(sb)
	t.Cleanup(func() {
		web.Close()
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := seqr.New(seqr.Config{
		Endpoint: web.URL + "/extclientproxy/service/v2", ClientID: "test", ClientReference: "test", Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdle)
	reseller := account{seqr.ResellerUser("demo-reseller", "9900", "demo-secret"), terminal}
	return &world{t, srv, b, sb, client, shops{"acme": reseller, "beta": reseller}}
}

type account struct {
	as       seqr.Principal
	terminal string
}

type shops map[string]account

func (s shops) Credentials(shop string) (seqr.Principal, string, bool) {
	a, ok := s[shop]
	return a.as, a.terminal, ok
}

// prompt is the provider whose reports are ready as soon as they may be: time passes after each mark.
type prompt struct {
	*seqr.Client
	sandbox *sandbox.Sandbox
}

func (p prompt) MarkTransactionPeriod(ctx context.Context, r seqr.MarkTransactionPeriod) (string, error) {
	id, err := p.Client.MarkTransactionPeriod(ctx, r)
	p.sandbox.Advance(4 * time.Second)
	return id, err
}

func (w *world) provider() reconciler.Provider { return prompt{w.client, w.sandbox} }

// work runs a worker with short pauses until the test ends, or until stop.
func (w *world) work(p reconciler.Provider) (stop func()) {
	w.t.Helper()
	soon := 5 * time.Millisecond
	worker := reconciler.New(reconciler.Config{
		Bus: w.bus, Provider: p, Shops: w.shops, Log: zerolog.Nop(),
		Backoff: bus.Backoff{First: soon, Most: soon},
		Pauses:  reconciler.Pauses{Report: soon, NotReady: soon, Previous: soon, LookAgain: []time.Duration{soon}},
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) fact(why string) events.Fact { return events.Fact{At: w.bus.Now(), Why: why} }

func (w *world) update(shop, id string, steps ...func(events.Invoice) (events.Invoice, error)) {
	w.t.Helper()
	for _, step := range steps {
		rig.AppendEvents(w.t, w.bus, events.KeyOf(shop, id), step)
	}
}

// bought lets a buyer pay at the provider, and gives the payment's reference.
func (w *world) bought(id, total string) string {
	w.t.Helper()
	as := seqr.Terminal(terminal, "demo-secret")
	sum := seqr.Amount{Currency: "SEK", Value: decimal.MustParse(total)}
	sent, err := w.client.SendInvoice(w.t.Context(), seqr.SendInvoice{As: as, Invoice: seqr.Invoice{
		Title: "t", ClientInvoiceID: id, Total: sum, Rows: []seqr.InvoiceRow{{Description: "goods", Quantity: decimal.One, Total: sum}},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.sandbox.Pay(sent.Reference); err != nil {
		w.t.Fatal(err)
	}
	status, err := w.client.GetPaymentStatus(w.t.Context(), seqr.GetPaymentStatus{As: as, InvoiceReference: sent.Reference})
	if err != nil || status.ErsReference == "" {
		w.t.Fatalf("status %+v, %v", status, err)
	}
	return status.ErsReference
}

// recordPaid is what our invoicer and poller record of a payment.
func (w *world) recordPaid(shop, id, total, ers string) {
	w.t.Helper()
	amount := events.AmountOf(decimal.MustParse(total))
	w.update(shop, id, func(inv events.Invoice) (events.Invoice, error) {
		o := events.Order{Shop: shop, OrderID: id, Currency: "SEK", Total: amount}
		return inv.IssuedAs(o, events.ProviderInvoice{Terminal: terminal, Reference: "bill-" + id, ValidFor: time.Minute}, w.fact("issued"))
	}, func(inv events.Invoice) (events.Invoice, error) {
		return inv.PaidWith(ers, "poller", w.fact("paid"))
	})
}

// sold is a payment that is both made and recorded.
func (w *world) sold(shop, id, total string) (ers string) {
	w.t.Helper()
	ers = w.bought(id, total)
	w.recordPaid(shop, id, total, ers)
	return ers
}

// paidBack lets the provider refund, and gives the refund's reference.
func (w *world) paidBack(ers, total string) string {
	w.t.Helper()
	r, err := w.client.RefundPayment(w.t.Context(), seqr.RefundPayment{
		As: seqr.Terminal(terminal, "demo-secret"), ErsReference: ers,
		Invoice: seqr.Invoice{Total: seqr.Amount{Currency: "SEK", Value: decimal.MustParse(total)}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.ErsReference
}

// recordRefund is what our refunder records: the intent, and its end.
func (w *world) recordRefund(shop, id, refund, total string, end func(events.Invoice) (events.Invoice, error)) {
	w.t.Helper()
	w.update(shop, id, func(inv events.Invoice) (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: refund, Amount: events.AmountOf(decimal.MustParse(total))}, w.fact("intent"))
	}, end)
}

// ask for a closing.
func (w *world) ask(shop, period string) events.PeriodKey {
	w.t.Helper()
	if _, err := reconciler.RequestClose(w.t.Context(), w.bus, "operator", shop, period, "end of day"); err != nil {
		w.t.Fatal(err)
	}
	return events.PeriodKeyOf(shop, period)
}

// closed waits for the end of a closing.
func (w *world) closed(k events.PeriodKey) events.Period {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), rig.Patience)
	defer cancel()
	p, err := reconciler.Await(ctx, w.bus, k)
	if err != nil {
		w.t.Fatalf("%s is %s: %v", k, p.State, err)
	}
	return p
}

func (w *world) close(shop, period string) events.Period {
	w.t.Helper()
	return w.closed(w.ask(shop, period))
}

// expect a state and the kinds and references of all differences.
func (w *world) expect(p events.Period, state events.PeriodState, lines ...string) {
	w.t.Helper()
	var got []string
	for _, d := range p.Lines {
		got = append(got, string(d.Kind)+" "+d.ErsReference)
	}
	if p.State != state || fmt.Sprint(got) != fmt.Sprint(lines) {
		w.t.Fatalf("period %s is %s with %q, expected %s with %q\n%s", p.Period, p.State, got, state, lines, reconciler.Summary(p))
	}
}
