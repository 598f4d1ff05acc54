package events

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Fact says when something happened to an invoice, why, and by which provider call.
type Fact struct {
	At   time.Time
	Why  string
	Call *Call  // the provider call that it rests on; nil where there was none
	By   string // what found it out, when that is not the worker whose event it is: the reconciler, or a person's name

	Gap time.Duration // the time without an answer in which a payment may have been reversed; 0 is none
}

func (f Fact) change(e Name, by Actor) Change {
	return Change{Event: e, At: f.At, By: cmp.Or(f.By, string(by)), Why: f.Why, Call: f.Call, SecondsWithoutAnswer: f.Gap.Round(time.Second / 10).Seconds()}
}

// ProviderInvoice is what the provider answered to sendInvoice.
type ProviderInvoice struct {
	Terminal, Reference, QRCode, Link string
	ValidFor                          time.Duration // how long the buyer may take
}

// IssuedAs records that the provider has accepted the order as an invoice.
func (inv Invoice) IssuedAs(o Order, p ProviderInvoice, f Fact) (Invoice, error) {
	inv = inv.of(o)
	inv.Terminal, inv.InvoiceReference, inv.QRCode, inv.Link = p.Terminal, p.Reference, p.QRCode, p.Link
	inv.IssuedAt, inv.DueAt = at(f), new(f.At.Add(p.ValidFor).UTC())
	return inv.MovedBy(EventIssued, ActorInvoicer, f)
}

// RejectedFor records that the provider refused the order for good.
func (inv Invoice) RejectedFor(o Order, f Fact) (Invoice, error) {
	return inv.of(o).EndedBy(EventRejected, ActorInvoicer, f)
}

func (inv Invoice) of(o Order) Invoice {
	inv.Shop, inv.OrderID, inv.InvoiceID = o.Shop, o.OrderID, cmp.Or(o.InvoiceID, o.OrderID)
	inv.Currency, inv.Total, inv.Order = o.Currency, o.Total, &o
	return inv
}

// CanceledBeforeIssue records that the order was canceled before there was an invoice.
func (inv Invoice) CanceledBeforeIssue(c Cancellation, f Fact) (Invoice, error) {
	inv.Shop, inv.OrderID, inv.InvoiceID = c.Shop, c.OrderID, cmp.Or(c.InvoiceID, c.OrderID)
	return inv.EndedBy(EventCanceled, ActorCanceler, f)
}

// EndedBy records that the invoice was rejected, canceled, failed or expired.
func (inv Invoice) EndedBy(e Name, by Actor, f Fact) (Invoice, error) {
	inv.EndedAt, inv.Reason = at(f), f.Why
	return inv.MovedBy(e, by, f)
}

// MovedBy records an event that changes nothing of the invoice but its state.
func (inv Invoice) MovedBy(e Name, by Actor, f Fact) (Invoice, error) {
	return inv.change(f.change(e, by))
}

// Overdue records that the buyer's time is over; it is recorded once.
func (inv Invoice) Overdue(f Fact) (Invoice, error) {
	if inv.OverdueAt != nil {
		return inv, fmt.Errorf("overdue again: %w", ErrNotAllowed)
	}
	inv.OverdueAt = at(f)
	return inv.MovedBy(EventOverdue, ActorPoller, f)
}

// PaidWith records the payment; it is late when the invoice had already ended.
func (inv Invoice) PaidWith(ersReference string, by Actor, f Fact) (Invoice, error) {
	inv.ErsReference, inv.PaidAt = ersReference, at(f)
	inv.Late = inv.State.Ended()
	return inv.MovedBy(EventPaid, by, f)
}

// ReceiptedWith records a receipt that the provider has accepted.
func (inv Invoice) ReceiptedWith(r Receipt, f Fact) (Invoice, error) {
	r.At = f.At.UTC()
	inv.Receipts = append(slices.Clone(inv.Receipts), r)
	return inv.MovedBy(EventReceipted, ActorReceipter, f)
}

// Refunding records the intent to refund, before the provider is called, and reserves the amount.
// For a refund that is under way it records another attempt; when the last one's outcome is not
// known the refund is in doubt from then on.
func (inv Invoice) Refunding(r Refund, f Fact) (Invoice, error) {
	message, stream := r.Message, r.Stream
	known, _ := inv.Refund(r.RefundID)
	r, err := inv.reserve(r, f)
	if err != nil {
		return inv, err
	}
	r.Message, r.Stream = message, stream
	r.InDoubt = r.InDoubt || known.Status == RefundSending
	r.Status, r.Attempts = RefundSending, r.Attempts+1
	return inv.withRefund(EventRefunding, r, f)
}

// reserve gives the refund with that id, which must be under way if it is known. A new one is r, and must not be of more than
// what remains.
func (inv Invoice) reserve(r Refund, f Fact) (Refund, error) {
	switch known, again := inv.Refund(r.RefundID); {
	case again && !known.UnderWay():
		return r, fmt.Errorf("refund %q is %s: %w", r.RefundID, known.Status, ErrNotAllowed)
	case again:
		return known, nil
	case r.Amount.Sign() <= 0 || r.Amount.Cmp(inv.Remaining()) > 0:
		return r, fmt.Errorf("refund of %s with %s left: %w", r.Amount, inv.Remaining(), ErrNotAllowed)
	}
	r.AskedAt = f.At.UTC()
	return r, nil
}

// RefundNotSent records that this attempt, counted from 1, is proved not to have happened. It says nothing about a later one, and is
// not allowed once there is one.
func (inv Invoice) RefundNotSent(id string, attempt int, f Fact) (Invoice, error) {
	if r, _ := inv.Refund(id); r.Attempts != attempt {
		return inv, fmt.Errorf("attempt %d of refund %q is not the last of %d: %w", attempt, id, r.Attempts, ErrNotAllowed)
	}
	return inv.moveRefund(id, RefundWaiting, EventRefunding, f)
}

// RefundInDoubt records that it cannot be known whether the provider has paid back. The amount stays reserved.
func (inv Invoice) RefundInDoubt(id string, f Fact) (Invoice, error) {
	return inv.moveRefund(id, RefundUnknown, EventRefundUnknown, f)
}

// moveRefund gives a refund that is under way another status.
func (inv Invoice) moveRefund(id string, to RefundStatus, e Name, f Fact) (Invoice, error) {
	r, _ := inv.Refund(id)
	if !r.UnderWay() {
		return inv, fmt.Errorf("refund %q is not under way: %w", id, ErrNotAllowed)
	}
	r.Status, r.Detail = to, f.Why
	return inv.withRefund(e, r, f)
}

// RefundedAs records that the provider has paid back; a refund in doubt may still turn out done.
func (inv Invoice) RefundedAs(id, ersReference string, f Fact) (Invoice, error) {
	r, ok := inv.Refund(id)
	if !ok || r.Status == RefundDone {
		return inv, fmt.Errorf("refund %q is done or unknown: %w", id, ErrNotAllowed)
	}
	r.ErsReference = ersReference
	return inv.settleRefund(r, RefundDone, EventRefunded, f)
}

// RefundRefused records that a refund will not be paid, and releases what it had reserved.
func (inv Invoice) RefundRefused(r Refund, f Fact) (Invoice, error) {
	if known, ok := inv.Refund(r.RefundID); !ok {
		r.AskedAt = f.At.UTC()
	} else if r = known; !r.Open() {
		return inv, fmt.Errorf("refund %q is settled: %w", r.RefundID, ErrNotAllowed)
	}
	return inv.settleRefund(r, RefundFailed, EventRefundFailed, f)
}

func (inv Invoice) settleRefund(r Refund, as RefundStatus, e Name, f Fact) (Invoice, error) {
	r.Status, r.Detail, r.SettledAt, r.SettledBy = as, f.Why, at(f), f.By
	return inv.withRefund(e, r, f)
}

// RefundDoubted records that a refund may have been paid without our knowing, whether or not there is an
// intent yet: after the broker was restored from a backup, what was recorded since the backup is lost. It
// reserves the amount, as the intent would have, until the refund is settled.
func (inv Invoice) RefundDoubted(r Refund, f Fact) (Invoice, error) {
	r, err := inv.reserve(r, f)
	if err != nil {
		return inv, err
	}
	r.Status, r.Detail, r.InDoubt = RefundUnknown, f.Why, true
	return inv.withRefund(EventRefundUnknown, r, f)
}

// RefundSettled records what was found out about a refund in doubt: that it happened, under the
// provider's ersReference where that is known, or that it did not, which releases its amount. A refund
// that is sending or waiting counts as in doubt here, because the message that would end it may never come again.
func (inv Invoice) RefundSettled(id string, happened bool, ersReference string, f Fact) (Invoice, error) {
	r, _ := inv.Refund(id)
	if !r.Open() {
		return inv, fmt.Errorf("refund %q is %s, not in doubt: %w", id, cmp.Or(r.Status, "not there"), ErrNotAllowed)
	}
	if happened {
		return inv.RefundedAs(id, ersReference, f)
	}
	return inv.RefundRefused(r, f)
}

// withRefund puts the refund in its place and sums anew what is refunded and what is reserved.
func (inv Invoice) withRefund(e Name, r Refund, f Fact) (Invoice, error) {
	inv.Refunds = slices.Clone(inv.Refunds)
	if i := slices.IndexFunc(inv.Refunds, func(o Refund) bool { return o.RefundID == r.RefundID }); i >= 0 {
		inv.Refunds[i] = r
	} else {
		inv.Refunds = append(inv.Refunds, r)
	}
	inv.Refunded, inv.ReservedForRefunds = Amount{}, Amount{}
	for _, o := range inv.Refunds {
		switch {
		case o.Status == RefundDone:
			inv.Refunded = inv.Refunded.Add(o.Amount)
		case o.Open():
			inv.ReservedForRefunds = inv.ReservedForRefunds.Add(o.Amount)
		}
	}
	c := f.change(e, ActorRefunder)
	c.RefundID = r.RefundID
	return inv.change(c)
}

func at(f Fact) *time.Time { return new(f.At.UTC()) }
