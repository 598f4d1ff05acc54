package chaos

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	outcomes "github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// refundsWithoutIntent is a refunder that records no intent: it asks the provider, and then records what was answered.
type refundsWithoutIntent struct{ tools }

func (h refundsWithoutIntent) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range refunder.Consumers() {
		handle := h.returned
		if i > 0 {
			handle = func(context.Context, bus.Delivery) bus.Outcome { return bus.Done }
		}
		g.Go(func() error { return h.bus.Work(ctx, c, handle) })
	}
	return g.Wait()
}

func (h refundsWithoutIntent) returned(ctx context.Context, d bus.Delivery) bus.Outcome {
	want, err := events.DecodeReturn(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	inv, err := h.bus.Load(ctx, want.Key())
	_, known := inv.Refund(want.RefundID)
	switch {
	case err != nil || inv.State.Open():
		return bus.Snooze(err)
	case known:
		return bus.Done
	case !inv.State.Paid():
		return bus.Park(errors.New("never paid"))
	}
	amount, err := want.Due(inv.Invoice)
	if err != nil || amount.Sign() == 0 || amount.Cmp(inv.Remaining()) > 0 {
		return bus.Park(errors.New("too much"))
	}
	as, _ := h.shops.Terminal(inv.Shop)
	done, err := h.provider.RefundPayment(ctx, seqr.RefundPayment{As: as, ErsReference: inv.ErsReference, Invoice: seqr.Invoice{
		ClientInvoiceID: inv.InvoiceID, Total: seqr.Amount{Currency: inv.Currency, Value: amount.Decimal()},
	}})
	if err != nil {
		return bus.Snooze(err)
	}
	_, err = h.bus.Update(ctx, refunder.Name, want.Key(), func(i events.Invoice) (events.Invoice, error) {
		fact := events.Fact{At: h.bus.Now(), Why: "paid back"}
		i, err := i.Refunding(events.Refund{RefundID: want.RefundID, Amount: amount}, fact)
		if err != nil {
			return i, err
		}
		return i.RefundedAs(want.RefundID, done.ErsReference, fact)
	})
	return bus.Recorded(err)
}

// repeatsRefunds is a provider that asks for a refund again when its outcome is unknown.
type repeatsRefunds struct{ provider }

func (s repeatsRefunds) RefundPayment(ctx context.Context, r seqr.RefundPayment) (done seqr.Refunded, err error) {
	for range 4 {
		if done, err = s.provider.RefundPayment(ctx, r); seqr.Classify(err) != seqr.Unknown {
			break
		}
	}
	return done, err
}

// withoutSequence among the makers has every worker append without the sequence that it has loaded.
const withoutSequence = "without sequence"

// withoutHistory among the makers has a durable that was lost made anew for new messages only.
const withoutHistory = "without history"

// withLongMemory among the makers has the broker remember the ids of ORDERS for as long as those of other streams.
const withLongMemory = "with a long memory"

// renameSequenceHeader hides the header by which the broker notices that another event came first.
func renameSequenceHeader(op []byte) {
	name := []byte("Nats-Expected-Last-Subject-Sequence")
	for {
		i := bytes.Index(op, name)
		if i < 0 {
			return
		}
		op[i] = 'X'
	}
}

// appendsStaleDecision is a receipter that decides once, and appends what it decided whatever has happened meanwhile.
type appendsStaleDecision struct{ tools }

func (s appendsStaleDecision) Run(ctx context.Context) error {
	return s.bus.Work(ctx, receipter.Consumers()[0], s.paid)
}

func (s appendsStaleDecision) paid(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := s.bus.Load(ctx, d.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	if len(inv.Receipts) > 0 {
		return bus.Done
	}
	as, _ := s.shops.Terminal(inv.Shop)
	if err := s.provider.SubmitPaymentReceipt(ctx, seqr.SubmitPaymentReceipt{As: as, ErsReference: inv.ErsReference}); err != nil {
		return bus.Snooze(err)
	}
	decided, err := inv.ReceiptedWith(events.Receipt{}, events.Fact{At: s.bus.Now(), Why: "decided before"})
	if err != nil {
		return bus.Done
	}
	_, err = s.bus.UpdateFrom(ctx, receipter.Name, inv, func(events.Invoice) (events.Invoice, error) { return decided, nil })
	return bus.Recorded(err)
}

// canceledInvoices are the references of the invoices that the provider said it had canceled.
type canceledInvoices struct{ references sync.Map }

// reportsCanceled is a canceler's provider that adds to canceledInvoices.
type reportsCanceled struct {
	provider
	to *canceledInvoices
}

func (t reportsCanceled) CancelInvoice(ctx context.Context, r seqr.CancelInvoice) error {
	err := t.provider.CancelInvoice(ctx, r)
	if code, _ := seqr.CodeOf(err); err == nil || code == seqr.InvoiceAlreadyCanceled {
		t.to.references.Store(r.InvoiceReference, true)
	}
	return err
}

// stopsAtCanceled is a poller's provider that does not ask about an invoice that was canceled.
type stopsAtCanceled struct {
	provider
	of *canceledInvoices
}

func (b stopsAtCanceled) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	if _, canceled := b.of.references.Load(r.InvoiceReference); canceled {
		return seqr.PaymentStatus{Status: seqr.StatusCanceled}, nil
	}
	return b.provider.GetPaymentStatus(ctx, r)
}

// trustsForeignPaid is a refunder that refunds whatever says that it is a late payment.
type trustsForeignPaid struct {
	tools
	real worker
}

func (x trustsForeignPaid) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return x.real.Run(ctx) })
	consumer := bus.Consumer{Worker: refunder.Name, Name: "refunder-trusting", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.paid"}}
	g.Go(func() error { return x.bus.Work(ctx, consumer, x.paid) })
	return g.Wait()
}

func (x trustsForeignPaid) paid(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := events.DecodeInvoice(d.Body)
	if err != nil || !inv.Late || inv.ErsReference == "" {
		return bus.Done
	}
	as, _ := x.shops.TerminalOf(inv.Shop, inv.Terminal)
	_, _ = x.provider.RefundPayment(ctx, seqr.RefundPayment{As: as, ErsReference: inv.ErsReference, Invoice: seqr.Invoice{
		ClientInvoiceID: inv.InvoiceID, Total: seqr.Amount{Currency: inv.Currency, Value: inv.Total.Decimal()},
	}}) // the check finds what comes of it
	return bus.Done
}

// takesSilenceForRefusal is a provider whose silence about an order is taken for a refusal.
type takesSilenceForRefusal struct{ provider }

func (x takesSilenceForRefusal) SendInvoice(ctx context.Context, r seqr.SendInvoice) (seqr.SentInvoice, error) {
	sent, err := x.provider.SendInvoice(ctx, r)
	if seqr.IsUnanswered(err) {
		err = &seqr.Error{Operation: "sendInvoice", Sent: seqr.Answered, Code: seqr.InvalidInvoiceData}
	}
	return sent, err
}

// forgetsEarlierTerminal are shops of which only today's terminal is known.
type forgetsEarlierTerminal struct{ outcomes.Shops }

func (x forgetsEarlierTerminal) TerminalOf(shop, _ string) (seqr.Principal, bool) {
	return x.Terminal(shop)
}

// usesOtherCredentials are shops for which the first shop's terminal is used where the credentials are missing.
type usesOtherCredentials struct{ outcomes.Shops }

func (x usesOtherCredentials) Terminal(shop string) (seqr.Principal, bool) {
	if as, ok := x.Shops.Terminal(shop); ok {
		return as, ok
	}
	return x.Shops.Terminal(rig.Shop)
}

// takesAnyCallForDelivered is a destination of a notifier for which a call was made once it was begun, whatever became of it.
type takesAnyCallForDelivered struct{ commerce.Outbound }

func (x takesAnyCallForDelivered) Deliver(ctx context.Context, n commerce.Notice) commerce.Result {
	x.Outbound.Deliver(ctx, n)
	return commerce.Done("called")
}

// repeatsInMemory is a notifier that acknowledges an event that a destination did not take, and goes on trying by itself.
type repeatsInMemory struct {
	tools
	real func(tools) worker
}

func (x repeatsInMemory) Run(ctx context.Context) error {
	var repeats sync.WaitGroup
	defer repeats.Wait()
	for i := range x.destinations {
		d := &x.destinations[i]
		d.Outbound = repeatedCalls{d.Outbound, ctx, &repeats}
	}
	return x.real(x.tools).Run(ctx)
}

type repeatedCalls struct {
	commerce.Outbound
	ctx     context.Context // of the worker
	repeats *sync.WaitGroup
}

func (x repeatedCalls) Deliver(ctx context.Context, n commerce.Notice) commerce.Result {
	r := x.Outbound.Deliver(ctx, n)
	if r.Status == commerce.Again {
		x.repeats.Go(func() {
			for pause(x.ctx, 20*time.Millisecond) && x.Outbound.Deliver(x.ctx, n).Status == commerce.Again {
			}
		})
		return commerce.Done("remembered")
	}
	return r
}
