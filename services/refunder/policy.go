package refunder

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// policy is why all of a payment is paid back without a return of the shop, and the first refundId that it is asked for
// under; the zero policy asks for nothing.
type policy struct{ refundID, reason string }

var policyCanceled = policy{events.RefundCancel, "the order was canceled after it was paid"}

func policyLate(inv events.Invoice) policy {
	if inv.Change.Event == events.EventPaid {
		return policy{events.RefundLate, "paid after the invoice was " + string(inv.Change.From)}
	}
	return policy{events.RefundLate, "paid after the invoice had ended"}
}

// payBack asks for all that is left, under the next refundId of the policy. See nextRefund for released.
func (w *Worker) payBack(ctx context.Context, d bus.Delivery, inv events.Invoice, p policy, released events.Invoice) bus.Outcome {
	if p.refundID == "" {
		return bus.Done
	}
	id := nextRefund(inv, p.refundID, released)
	if id == "" {
		return bus.Done
	}
	return w.refund(ctx, d, events.Return{OrderID: inv.OrderID, InvoiceID: inv.InvoiceID, Shop: inv.Shop, RefundID: id, All: true, Reason: p.reason})
}

// nextRefund gives the refundId of a policy that is under way or, when something is left, the first that is unused. It is
// empty when nothing is left, and when the provider has refused the last. released is the invoice as it was after another refund had
// come to nothing, which is a new reason to ask: what was asked for by then does not count as refused. The zero invoice is none.
func nextRefund(inv events.Invoice, first string, released events.Invoice) string {
	refused := false
	for n := 0; ; n++ {
		id := events.RestOf(first, n)
		r, asked := inv.Refund(id)
		switch {
		case !asked && !refused && inv.Remaining().Sign() > 0:
			return id
		case !asked:
			return ""
		case r.UnderWay():
			return id
		}
		_, before := released.Refund(id)
		refused = refusedByProvider(r) && !before
	}
}

// refusedByProvider tells a refusal, which is final, from what a person or a report has found not to have happened.
func refusedByProvider(r events.Refund) bool {
	return r.Status == events.RefundFailed && r.SettledBy == ""
}

// policyUnderWay is the policy whose refund is being asked for.
func policyUnderWay(inv events.Invoice) policy {
	for _, r := range inv.Refunds {
		if first := events.ReservedRefund(r.RefundID); first != "" && r.UnderWay() {
			return policy{first, r.Reason}
		}
	}
	return policy{}
}

// policyFor says why all of an invoice that was paid is to be paid back, if it is.
func (w *Worker) policyFor(ctx context.Context, inv bus.Loaded) (policy, error) {
	if why, err := w.policyOfEnded(ctx, inv); err != nil || why.refundID != "" {
		return why, err
	}
	for _, r := range inv.Refunds {
		if events.ReservedRefund(r.RefundID) == events.RefundSecond {
			return policy{events.RefundSecond, r.Reason}, nil
		}
	}
	if w.KeepSecond {
		return policy{}, nil
	}
	seq, err := w.Bus.LastEventSeq(ctx, inv.Key, events.EventPaid)
	if err != nil {
		return policy{}, err
	}
	return w.policyOfSecond(ctx, inv, seq)
}

// policyOfEnded is the policy for an invoice that was paid although it had ended, or whose order was canceled.
func (w *Worker) policyOfEnded(ctx context.Context, inv bus.Loaded) (policy, error) {
	if inv.Late {
		return policyLate(inv.Invoice), nil
	}
	if canceled, err := w.isCanceled(ctx, inv); err != nil || !canceled {
		return policy{}, err
	}
	return policyCanceled, nil
}

// isCanceled says whether a cancellation of the order is about the invoice.
func (w *Worker) isCanceled(ctx context.Context, inv bus.Loaded) (bool, error) {
	cancellations, err := w.Bus.OrderMessages(ctx, inv.Shop, inv.OrderID, events.OrderCanceled)
	if err != nil {
		return false, err
	}
	for _, m := range cancellations {
		c, err := events.DecodeCancellation(m.Message)
		if err != nil || c.KeepPaid {
			continue // it is parked, or refunds nothing
		}
		invoices, err := w.Bus.Canceled(ctx, c, m.Seq)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(invoices, func(t bus.Try) bool { return t.Key() == inv.Key }) {
			return true, nil
		}
	}
	return false, nil
}

// policyOfSecond is the policy for an invoice whose payment was recorded at seq when another of the order was paid before and is
// not paid back. The error says that it cannot be known yet.
func (w *Worker) policyOfSecond(ctx context.Context, inv bus.Loaded, seq uint64) (policy, error) {
	tries, err := w.Bus.Tries(ctx, inv.Shop, inv.OrderID, math.MaxUint64)
	if err != nil {
		return policy{}, err
	}
	var unknown error
	for _, t := range tries {
		if t.Key() == inv.Key {
			continue
		}
		switch first, err := w.isFirstPayment(ctx, t.Key(), inv.OrderID, seq); {
		case errors.Is(err, errUndecided):
			unknown = err
		case err != nil:
			return policy{}, err
		case first:
			return policy{events.RefundSecond, "the order was paid before, as invoice " + t.InvoiceID}, nil
		}
	}
	return policy{}, unknown
}

// errUndecided says that all that is left of an earlier payment may be paid back or not: that is under way, in doubt, or about to be
// asked for.
var errUndecided = errors.New("the order was paid before, and whether that is paid back is not known yet")

// undecided is the outcome of a delivery for which policyOfSecond gave the error.
func undecided(err error) bus.Outcome {
	if errors.Is(err, errUndecided) {
		return bus.SnoozeFor(0, err)
	}
	return bus.Snooze(err)
}

// isFirstPayment says whether the invoice was paid before seq for the order, and stays paid.
func (w *Worker) isFirstPayment(ctx context.Context, k events.Key, order string, seq uint64) (bool, error) {
	inv, err := w.Bus.Load(ctx, k)
	if err != nil || inv.OrderID != order || !inv.Can(events.EventRefunding) {
		return false, err
	}
	if paid, err := w.Bus.LastEventSeq(ctx, k, events.EventPaid); err != nil || paid > seq {
		return false, err
	}
	if inv.Remaining().Sign() == 0 {
		return false, errUndecided
	}
	why, err := w.policyOfEnded(ctx, inv)
	if err != nil {
		return false, err
	}
	if why.refundID != "" && nextRefund(inv.Invoice, why.refundID, events.Invoice{}) != "" {
		return false, errUndecided // it is to be paid back, and stays paid only if the provider refuses
	}
	return true, nil
}
