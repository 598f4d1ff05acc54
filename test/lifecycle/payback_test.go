package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// recorded builds an invoice's life without a provider.
type recorded struct {
	t *testing.T
	r *rig.Rig
}

func (x recorded) fact(why string) events.Fact { return events.Fact{At: x.r.Bus.Now(), Why: why} }

// issued and paid record the life of one invoice of an order of 10, as the workers would.
func (x recorded) issued(order, invoice string) {
	o := try(order, invoice, "10")
	rig.AppendEvents(x.t, x.r.Bus, o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, events.Bill{Terminal: "demo-terminal", Reference: "ref-" + invoice, ValidFor: time.Hour}, x.fact("issued"))
	})
}

func (x recorded) paid(invoice string) {
	rig.AppendEvents(x.t, x.r.Bus, events.KeyOf(rig.Shop, invoice), func(i events.Invoice) (events.Invoice, error) {
		return i.PaidWith("ers-"+invoice, "poller", x.fact("paid"))
	})
}

func (x recorded) canceled(invoice string) {
	rig.AppendEvents(x.t, x.r.Bus, events.KeyOf(rig.Shop, invoice), func(i events.Invoice) (events.Invoice, error) {
		return i.EndedBy(events.EventCanceled, "poller", x.fact("canceled"))
	})
}

// doubt records a refund of which nobody knows whether it was paid.
func (x recorded) doubt(invoice, refund, amount string) {
	rig.AppendEvents(x.t, x.r.Bus, events.KeyOf(rig.Shop, invoice), func(i events.Invoice) (events.Invoice, error) {
		return i.Refunding(events.Refund{RefundID: refund, Amount: rig.Amount(amount)}, x.fact("intent"))
	}, func(i events.Invoice) (events.Invoice, error) { return i.RefundInDoubt(refund, x.fact("no answer")) })
}

// settle is a person who has found out what became of a refund.
func (x recorded) settle(invoice, refund string, happened bool) {
	x.t.Helper()
	if _, err := x.r.Bus.Update(x.t.Context(), "operator", events.KeyOf(rig.Shop, invoice), func(i events.Invoice) (events.Invoice, error) {
		return i.RefundSettled(refund, happened, "", events.Fact{At: x.r.Bus.Now(), Why: "a person has looked", By: "operator"})
	}); err != nil {
		x.t.Fatal(err)
	}
}

// payer is a provider that pays back whatever it is asked for; answer may say otherwise.
type payer struct {
	mu     sync.Mutex
	paid   []string
	answer func(n int, p seqr.RefundPayment) error // n is the number of the call, from 1
	calls  int
}

func (p *payer) hook(r *rig.Rig) hooked {
	return hooked{Client: r.Client, refund: func(_ context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls++
		if p.answer != nil {
			if err := p.answer(p.calls, c); err != nil {
				return seqr.Refunded{}, err
			}
		}
		p.paid = append(p.paid, fmt.Sprintf("%s of %s", c.Invoice.Total.Value.Trim(0), c.Invoice.ClientInvoiceID))
		return seqr.Refunded{ErsReference: fmt.Sprintf("refund-%d", p.calls)}, nil
	}}
}

func (p *payer) expect(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.paid, want) {
		t.Errorf("the provider paid back %v; want %v", p.paid, want)
	}
}

func (p *payer) expectCalls(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls != n {
		t.Errorf("asked %d times for what the provider refuses, expected %d", p.calls, n)
	}
}

func code(c seqr.ResultCode) error {
	return &seqr.Error{Operation: "refundPayment", Sent: seqr.Answered, Code: c}
}

func noAnswer() error {
	return &seqr.Error{Operation: "refundPayment", Sent: seqr.MaybeSent, Err: context.DeadlineExceeded}
}

func runRefunder(r *rig.Rig, p refunder.Provider) (stop func()) {
	return r.Run(refunder.New(refunder.Config{Bus: r.Connect(), Provider: p, Shops: rig.Shops{}, Log: r.Log}))
}

// What seqrflow asks for itself and a person finds not to have happened is asked for again, each time under an id of its own.
func TestOwnRefundThatDidNotHappenIsAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		first   string
		prepare func(recorded)
	}{
		{events.RefundCancel, func(x recorded) { x.issued("1", "1"); x.paid("1"); x.r.Cancel("1") }},
		{events.RefundLate, func(x recorded) { x.issued("1", "1"); x.canceled("1"); x.paid("1") }},
		{events.RefundSecond, func(x recorded) {
			x.r.Place(try("1", "0", "10"))
			x.issued("1", "0")
			x.paid("0")
			x.issued("1", "1")
			x.paid("1")
		}},
	} {
		t.Run(c.first, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			x := recorded{t, r}
			c.prepare(x)
			x.doubt("1", "r1", "4") // so that what is left is a part, which nobody repeats blindly
			p := &payer{answer: func(n int, _ seqr.RefundPayment) error {
				if n <= 2 {
					return noAnswer()
				}
				return nil
			}}
			runRefunder(r, p.hook(r))
			for n := range 2 {
				id := events.RestOf(c.first, n)
				r.WaitFor("1", events.EventRefundUnknown, func(i events.Invoice) bool { return i.Change.RefundID == id })
				x.settle("1", id, false)
			}
			r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.Change.RefundID == events.RestOf(c.first, 2) })
			x.settle("1", "r1", false)
			inv := r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "10" })
			if inv.State != events.Refunded || inv.Change.RefundID != events.RestOf(c.first, 3) {
				t.Errorf("%+v", inv)
			}
			r.Idle()
			p.expect(t, "6 of 1", "4 of 1")
		})
	}
}

// What another refund held when the policy was to pay back is paid back when that refund comes to nothing.
func TestWhatARefundHeldIsPaidBackByPolicy(t *testing.T) {
	for name, prepare := range map[string]func(recorded){
		"late": func(x recorded) { x.issued("1", "1"); x.canceled("1"); x.paid("1") },
		"second": func(x recorded) {
			x.r.Place(try("1", "0", "10"))
			x.issued("1", "0")
			x.paid("0")
			x.issued("1", "1")
			x.paid("1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			x := recorded{t, r}
			prepare(x)
			x.doubt("1", "r1", "10")
			p := &payer{}
			runRefunder(r, p.hook(r))
			waitUntil(t, func() bool { return ackedAll(t, r, "refunder-paid", 0) })
			p.expect(t)
			x.settle("1", "r1", false)
			r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
			r.Idle()
			p.expect(t, "10 of 1")
		})
	}
}

// What the provider refuses is not asked for again by itself, except when another refund releases an amount.
func TestRefusedOwnRefundIsAskedForOnceMoreWhenAnotherIsReleased(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	x := recorded{t, r}
	x.issued("1", "1")
	x.paid("1")
	x.doubt("1", "r1", "4")
	p := &payer{answer: func(int, seqr.RefundPayment) error { return code(seqr.ResellerNotAllowedToDoRefund) }}
	runRefunder(r, p.hook(r))
	r.Cancel("1")
	r.WaitFor("1", events.EventRefundFailed, func(i events.Invoice) bool { return i.Change.RefundID == events.RefundCancel })
	r.Idle()
	p.expectCalls(t, 1)
	x.settle("1", "r1", false)
	r.WaitFor("1", events.EventRefundFailed, func(i events.Invoice) bool { return i.Change.RefundID == events.RefundCancelRest })
	r.Idle()
	p.expectCalls(t, 2)
}

// A sequence names a message only together with its stream: a cancellation that is paid back and the event that releases
// another refund may have the same.
func TestAttemptOfAMessageOfAnotherStreamIsLeftToIt(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	x := recorded{t, r}
	x.issued("1", "1")
	x.paid("1")
	x.doubt("1", "r1", "4") // 4 events; the intent of cancel is the 5th, what releases r1 the 6th
	for i := range 5 {
		r.Raw(fmt.Sprintf("orders.acme.other%d.placed", i), []byte("{}"))
	}
	asked, sayAsked := signal()
	answer := make(chan struct{})
	p := &payer{}
	h := p.hook(r)
	pay := h.refund
	h.refund = func(ctx context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
		sayAsked()
		select {
		case <-answer:
			return pay(ctx, c)
		case <-ctx.Done():
			return seqr.Refunded{}, notSent()
		}
	}
	runRefunder(r, h)
	r.Cancel("1")
	<-asked
	x.settle("1", "r1", false)
	l, err := r.Bus.Load(t.Context(), events.KeyOf(rig.Shop, "1"))
	if err != nil || l.Seq != 6 || mustLast(t, r, events.OrdersStream) != 6 {
		t.Fatalf("the sequences differ: %d and %d, %v", l.Seq, mustLast(t, r, events.OrdersStream), err)
	}
	<-time.After(time.Second) // what must not happen has no signal: cancel put in doubt by the other message
	close(answer)
	inv := r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
	r.Idle()
	if slices.Contains(r.History("1")[5:], events.EventRefundUnknown) {
		t.Errorf("an attempt that was under way was put in doubt: %v, %+v", r.History("1"), inv.Refunds)
	}
	p.expect(t, "6 of 1", "4 of 1")
}

func mustLast(t *testing.T, r *rig.Rig, stream string) uint64 {
	t.Helper()
	seq, err := r.Bus.LastSeq(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// A second payment waits until it is known whether the first is paid back.
func TestSecondPaymentWaitsForWhatBecomesOfTheFirst(t *testing.T) {
	for name, c := range map[string]struct {
		happened bool
		want     []string
	}{
		"the first was paid back": {true, nil},
		"the first was not":       {false, []string{"10 of 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			x := recorded{t, r}
			r.Place(try("1", "0", "10"))
			r.Place(try("1", "1", "10"))
			x.issued("1", "0")
			x.paid("0")
			x.doubt("0", "r1", "10")
			x.issued("1", "1")
			x.paid("1")
			p := &payer{}
			runRefunder(r, p.hook(r))
			<-time.After(500 * time.Millisecond) // what must not happen has no signal
			p.expect(t)
			x.settle("0", "r1", c.happened)
			r.Idle()
			p.expect(t, c.want...)
		})
	}
}

// The first payment is to be paid back anyway, because it came late or its try was canceled: then the second is the payment
// of the order, in whatever order the messages are handled.
func TestSecondPaymentIsKeptWhenTheFirstIsToBePaidBack(t *testing.T) {
	for name, first := range map[string]func(recorded){
		"late": func(x recorded) { x.issued("1", "0"); x.canceled("0"); x.paid("0") },
		"canceled": func(x recorded) {
			x.issued("1", "0")
			x.paid("0")
			x.r.CancelTry("1", "0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, sandbox.Config{})
			x := recorded{t, r}
			r.Place(try("1", "0", "10"))
			first(x)
			r.Place(try("1", "1", "10"))
			x.issued("1", "1")
			x.paid("1")
			p := &payer{}
			slow := p.hook(r)
			pay, kept := slow.refund, make(chan struct{})
			slow.refund = func(ctx context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
				if c.Invoice.ClientInvoiceID == "0" {
					select {
					case <-kept:
					case <-ctx.Done():
						return seqr.Refunded{}, notSent()
					}
				}
				return pay(ctx, c)
			}
			runRefunder(r, slow)
			<-time.After(500 * time.Millisecond) // what must not happen has no signal
			close(kept)
			r.WaitFor("0", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
			r.Idle()
			p.expect(t, "10 of 0")
		})
	}
}

// ackedAll says that the consumer has at most so many messages left.
func ackedAll(t *testing.T, r *rig.Rig, consumer string, most int) bool {
	t.Helper()
	c, err := r.JetStream().Consumer(t.Context(), events.InvoicesStream, consumer)
	if err != nil {
		return false
	}
	info := c.CachedInfo()
	return info.NumPending == 0 && info.NumAckPending <= most
}

func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(rig.Patience); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s", rig.Patience)
		}
	}
}
