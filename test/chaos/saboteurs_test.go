package chaos

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// hasty is a refunder that records no intent: it asks the provider, and then records what was answered.
type hasty struct{ tools }

func (h hasty) Run(ctx context.Context) error {
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

func (h hasty) returned(ctx context.Context, d bus.Delivery) bus.Outcome {
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

// stubborn asks for a refund again when it is not known what became of it.
type stubborn struct{ provider }

func (s stubborn) RefundPayment(ctx context.Context, r seqr.RefundPayment) (done seqr.Refunded, err error) {
	for range 4 {
		if done, err = s.provider.RefundPayment(ctx, r); seqr.Classify(err) != seqr.Unknown {
			break
		}
	}
	return done, err
}

// withoutSequence among the makers lets every worker append without the sequence that it has loaded.
const withoutSequence = "without sequence"

// withoutHistory among the makers has a durable that was lost made anew for new messages only.
const withoutHistory = "without history"

// withLongMemory among the makers has the broker remember the ids of ORDERS for as long as those of other streams.
const withLongMemory = "with a long memory"

// unconditional spoils the header by which the broker tells that another event came first.
func unconditional(op []byte) {
	name := []byte("Nats-Expected-Last-Subject-Sequence")
	for {
		i := bytes.Index(op, name)
		if i < 0 {
			return
		}
		op[i] = 'X'
	}
}

// stale is a receipter that decides once, and appends what it decided whatever has happened meanwhile.
type stale struct{ tools }

func (s stale) Run(ctx context.Context) error {
	return s.bus.Work(ctx, receipter.Consumers()[0], s.paid)
}

func (s stale) paid(ctx context.Context, d bus.Delivery) bus.Outcome {
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

// canceledBills are those that the provider said it had canceled.
type canceledBills struct{ bills sync.Map }

// tellsOfCanceled is a canceler's provider that tells the others.
type tellsOfCanceled struct {
	provider
	to *canceledBills
}

func (t tellsOfCanceled) CancelInvoice(ctx context.Context, r seqr.CancelInvoice) error {
	err := t.provider.CancelInvoice(ctx, r)
	if code, _ := seqr.CodeOf(err); err == nil || code == seqr.InvoiceAlreadyCanceled {
		t.to.bills.Store(r.InvoiceReference, true)
	}
	return err
}

// believesCanceled is a poller's provider that does not ask about a bill that was canceled.
type believesCanceled struct {
	provider
	of *canceledBills
}

func (b believesCanceled) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	if _, canceled := b.of.bills.Load(r.InvoiceReference); canceled {
		return seqr.PaymentStatus{Status: seqr.StatusCanceled}, nil
	}
	return b.provider.GetPaymentStatus(ctx, r)
}
