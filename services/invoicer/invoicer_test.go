package invoicer_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spy notes what is sent, and lets a test do something between the provider's answer and its record.
type spy struct {
	*seqr.Client
	mu      sync.Mutex
	sent    []seqr.SendInvoice
	answers func(n int)
}

func (s *spy) SendInvoice(ctx context.Context, r seqr.SendInvoice) (seqr.SentInvoice, error) {
	out, err := s.Client.SendInvoice(ctx, r)
	s.mu.Lock()
	s.sent = append(s.sent, r)
	n := len(s.sent)
	s.mu.Unlock()
	if s.answers != nil {
		s.answers(n)
	}
	return out, err
}

func config(r *rig.Rig, p invoicer.Provider, shops calls.Shops) invoicer.Config {
	return invoicer.Config{Bus: r.Bus, Provider: p, Shops: shops, ValidFor: 7 * time.Minute, NotifyURL: "http://127.0.0.1:9/", Log: r.Log}
}

func TestBillSaysWhatTheOrderSays(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := &spy{Client: r.Client}
	r.Run(invoicer.New(config(r, p, rig.Shops{})))
	o := rig.Order("10 01", "12.50")
	o.Rows = append(o.Rows, events.Row{Description: "Rabatt", Quantity: rig.Amount("1").Decimal(), Total: rig.Amount("-2.50")})
	o.Total, o.CashierID, o.BackURL = rig.Amount("10"), "kassa 1", "https://shop.example/back"
	r.Place(o)
	inv := r.Wait("10 01", events.EventIssued)
	if got := inv.DueAt.Sub(*inv.IssuedAt); got != 7*time.Minute {
		t.Errorf("due after %s", got)
	}
	if inv.Terminal != "demo-terminal" || inv.QRCode != "HTTP://SEQR.SE/R"+inv.InvoiceReference || inv.Link != "SEQR://SEQR.SE/R"+inv.InvoiceReference {
		t.Errorf("%+v", inv)
	}
	b := p.sent[0].Invoice
	if b.ClientInvoiceID != "10 01" || b.Title != "acme 10 01" || b.CashierID != "kassa 1" || b.BackURL != o.BackURL || len(b.Rows) != 2 ||
		b.Rows[1].Total.Value.String() != "-2.50" || b.Total.Value.String() != "10" || b.NotificationURL != "http://127.0.0.1:9/notify/acme/x-geycambr" {
		t.Errorf("%+v", b)
	}
}

func TestRefusedOrderIsRejectedForGood(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	code := 49
	if err := r.Sandbox.SetFaults(map[string][]sandbox.Fault{"sendInvoice": {{Kind: sandbox.FaultResultCode, Code: code}}}); err != nil {
		t.Fatal(err)
	}
	r.Run(invoicer.New(config(r, r.Client, rig.Shops{})))
	r.Place(rig.Order("1", "10"))
	inv := r.Wait("1", events.EventRejected)
	if inv.State != events.Rejected || *inv.Change.Call.Code != 49 || !strings.Contains(inv.Reason, "INVALID_INVOICE_DATA") {
		t.Errorf("%+v", inv)
	}
	r.Idle()
	if r.Parked() != 0 {
		t.Error("parked as well")
	}
}

// wrong has a password that the provider refuses.
type wrong struct{ rig.Shops }

func (wrong) Terminal(string) (seqr.Principal, bool) {
	return seqr.Terminal("demo-terminal", "wrong-password"), true
}

func TestWrongCredentialsParkTheOrder(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Run(invoicer.New(config(r, r.Client, wrong{})))
	r.Place(rig.Order("1", "10"))
	if p := r.WaitParked(invoicer.Name, "1"); !strings.Contains(p.Reason, "AUTHENTICATION_FAILED") || strings.Contains(p.Reason, "wrong-password") {
		t.Errorf("%+v", p)
	}
}

func TestBillOfAnOrderThatWasCanceledMeanwhileIsWithdrawn(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	p := &spy{Client: r.Client}
	p.answers = func(int) {
		_, err := r.Bus.Update(context.Background(), "canceler", events.KeyOf(rig.Shop, "1"), func(i events.Invoice) (events.Invoice, error) {
			return i.CanceledBeforeIssue(events.Cancellation{OrderID: "1", Shop: rig.Shop}, events.Fact{At: r.Bus.Now(), Why: "test"})
		})
		if err != nil {
			t.Error(err)
		}
	}
	r.Run(invoicer.New(config(r, p, rig.Shops{})))
	r.Place(rig.Order("1", "10"))
	r.Wait("1", events.EventCanceled)
	r.Idle()
	if l := r.Sandbox.Ledger(); len(l.Invoices) != 1 || l.Invoices[0].Status != sandbox.Canceled {
		t.Errorf("%+v", l.Invoices)
	}
	if h := r.History("1"); len(h) != 1 {
		t.Errorf("%v", h)
	}
}

// However often an order is published and however many copies there are, the provider is asked for one invoice: at a cash
// register a second one would cancel the one that was published.
func TestOneOrderIsOneInvoiceAtTheProvider(t *testing.T) {
	for name, cashRegister := range map[string]bool{"webshop": false, "cash register": true} {
		t.Run(name, func(t *testing.T) {
			terminal := sandbox.DemoTerminals()[0]
			terminal.CashRegister = cashRegister
			r := rig.New(t, sandbox.Config{Terminals: []sandbox.Terminal{terminal}, Resellers: sandbox.DemoResellers()})
			r.Run(invoicer.New(config(r, r.Client, rig.Shops{})))
			r.Run(invoicer.New(config(r, r.NewClient(), rig.Shops{})))
			for range 5 {
				r.Place(rig.Order("1", "10"))
			}
			inv := r.Wait("1", events.EventIssued)
			r.IdleBut("poller")
			bills := r.Sandbox.Ledger().Invoices
			if len(bills) != 1 || bills[0].InvoiceReference != inv.InvoiceReference || bills[0].Status != sandbox.Issued {
				t.Errorf("%s was published; the provider has %+v", inv.InvoiceReference, bills)
			}
		})
	}
}

// A process that dies between the provider's answer and the event leaves the order to the next, which takes over at once: it
// is the same message.
func TestOrderOfADeadProcessIsTakenUpAtOnce(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	k := events.KeyOf(rig.Shop, "1")
	if _, mine, err := r.Bus.IndexOpen(t.Context(), k, 1); err != nil || !mine {
		t.Fatal(mine, err)
	}
	r.Run(invoicer.New(config(r, r.Client, rig.Shops{})))
	r.Place(rig.Order("1", "10")) // the first message of ORDERS
	r.Wait("1", events.EventIssued)
	if n, err := r.Bus.OpenCount(t.Context()); err != nil || n != 1 {
		t.Errorf("%d on the index (%v)", n, err)
	}
}

// An order under an invoiceId that another order has is a mistake that a person sees, not the same order again.
func TestInvoiceOfAnotherOrderIsNoSecondTry(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Run(invoicer.New(config(r, r.Client, rig.Shops{})))
	r.Place(rig.Order("B", "10"))
	r.Wait("B", events.EventIssued)
	o := rig.Order("A", "10")
	o.InvoiceID = "B"
	r.Place(o)
	if p := r.WaitParked(invoicer.Name, "A"); !strings.Contains(p.Reason, `"B" is an invoice of order "B" already`) {
		t.Errorf("%s", p.Reason)
	}
}

// A poller may be removing the entry, for want of an invoice, at the very moment that there is one, and die before it has looked
// back. So the invoicer looks at an entry of that age once more.
func TestEntryThatIsAboutToBeRemovedIsLookedAtOnceMore(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	k := events.KeyOf(rig.Shop, "1")
	if _, _, err := r.Bus.IndexOpen(t.Context(), k, 1); err != nil {
		t.Fatal(err)
	}
	cfg := config(r, r.Client, rig.Shops{})
	later := func() time.Time { return time.Now().Add(bus.ForgottenAfter - 10*time.Second) }
	cfg.Bus = r.ConnectWith(bus.Config{Now: later, Backoff: bus.Backoff{First: 100 * time.Millisecond, Most: 500 * time.Millisecond}})
	settled, err := r.Bus.Conn().SubscribeSync("$JS.ACK." + events.OrdersStream + "." + invoicer.Name + ".>")
	if err != nil {
		t.Fatal(err)
	}
	r.Run(invoicer.New(cfg))
	r.Place(rig.Order("1", "10")) // the first message of ORDERS
	r.Wait("1", events.EventIssued)
	open, err := r.JetStream().Stream(t.Context(), events.OpenStream)
	if err != nil {
		t.Fatal(err)
	}
	for { // until the invoicer has seen the entry and left the order for later: one that it misses is stored by the first look
		m, err := settled.NextMsg(rig.Patience)
		if err != nil {
			t.Fatalf("the order is not left for later: %v", err)
		}
		if strings.HasPrefix(string(m.Data), "-NAK") {
			break
		}
	}
	if err := open.DeleteMsg(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	r.IdleBut("poller")
	if n, err := r.Bus.OpenCount(t.Context()); err != nil || n != 1 {
		t.Errorf("%d on the index (%v): the invoice is polled by nobody", n, err)
	}
}
