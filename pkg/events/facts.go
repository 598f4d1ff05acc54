package events

import (
	"fmt"
	"slices"
	"time"
)

// Fact is who learned something, when, why it is so and from which call.
type Fact struct {
	At   time.Time
	Why  string
	Call *Call
	By   string // who recorded it, when it is not the worker whose event it is

	Gap time.Duration // the time without an answer in which a payment may have been reversed unseen; 0 is none
}

func (f Fact) change(e Name, by string) Change {
	return Change{Event: e, At: f.At, By: or(f.By, by), Why: f.Why, Call: f.Call, SecondsWithoutAnswer: f.Gap.Round(time.Second / 10).Seconds()}
}

// Bill is what the provider answered to sendInvoice.
type Bill struct {
	Terminal, Reference, QRCode, Link string
	ValidFor                          time.Duration
}

// IssuedAs records that the provider has accepted the order as a bill.
func (inv Invoice) IssuedAs(o Order, b Bill, f Fact) (Invoice, error) {
	inv = inv.of(o)
	inv.Terminal, inv.InvoiceReference, inv.QRCode, inv.Link = b.Terminal, b.Reference, b.QRCode, b.Link
	due := f.At.Add(b.ValidFor).UTC()
	inv.IssuedAt, inv.DueAt = at(f), &due
	return inv.change(f.change(EventIssued, "invoicer"))
}

// RejectedFor records that the provider refused the order for good.
func (inv Invoice) RejectedFor(o Order, f Fact) (Invoice, error) {
	inv = inv.of(o)
	return inv.ended(EventRejected, "invoicer", f)
}

func (inv Invoice) of(o Order) Invoice {
	inv.Shop, inv.OrderID, inv.InvoiceID = o.Shop, o.OrderID, or(o.InvoiceID, o.OrderID)
	inv.Currency, inv.Total, inv.Order = o.Currency, o.Total, &o
	return inv
}

// CanceledUnseen records that the order was canceled before there was an invoice.
func (inv Invoice) CanceledUnseen(c Cancellation, f Fact) (Invoice, error) {
	inv.Shop, inv.OrderID, inv.InvoiceID = c.Shop, c.OrderID, or(c.InvoiceID, c.OrderID)
	return inv.ended(EventCanceled, "canceler", f)
}

// EndedBy records that the invoice was canceled, failed or expired.
func (inv Invoice) EndedBy(e Name, by string, f Fact) (Invoice, error) { return inv.ended(e, by, f) }

func (inv Invoice) ended(e Name, by string, f Fact) (Invoice, error) {
	inv.EndedAt, inv.Reason = at(f), f.Why
	return inv.change(f.change(e, by))
}

// ReservedBy records that the buyer's money is reserved.
func (inv Invoice) ReservedBy(by string, f Fact) (Invoice, error) {
	return inv.change(f.change(EventReserved, by))
}

// Overdue records that the buyer's time is over.
func (inv Invoice) Overdue(f Fact) (Invoice, error) {
	if inv.OverdueAt != nil {
		return inv, fmt.Errorf("overdue again: %w", ErrNotAllowed)
	}
	inv.OverdueAt = at(f)
	return inv.change(f.change(EventOverdue, "poller"))
}

// PaidWith records the payment; it is late when the invoice had already ended.
func (inv Invoice) PaidWith(ersReference, by string, f Fact) (Invoice, error) {
	inv.ErsReference, inv.PaidAt = ersReference, at(f)
	inv.Late = inv.State.Ended()
	return inv.change(f.change(EventPaid, by))
}

// ReceiptedWith records a receipt that the provider has accepted.
func (inv Invoice) ReceiptedWith(r Receipt, f Fact) (Invoice, error) {
	r.At = f.At.UTC()
	inv.Receipts = append(slices.Clone(inv.Receipts), r)
	return inv.change(f.change(EventReceipted, "receipter"))
}

// Refunding records the intent to refund, before the provider is called, and holds the amount.
// For a refund that is under way it records another attempt; when the last one's outcome is not
// known the refund is in doubt from then on.
func (inv Invoice) Refunding(r Refund, f Fact) (Invoice, error) {
	known, again := inv.Refund(r.RefundID)
	switch {
	case again && known.Status != RefundSending && known.Status != RefundWaiting:
		return inv, fmt.Errorf("refund %q is %s: %w", r.RefundID, known.Status, ErrNotAllowed)
	case again:
		message, stream := r.Message, r.Stream
		r = known
		r.Message, r.Stream = message, stream
		r.InDoubt = r.InDoubt || known.Status == RefundSending
	default:
		if err := inv.canReserve(r.Amount); err != nil {
			return inv, err
		}
		r.AskedAt = f.At.UTC()
	}
	r.Status, r.Attempts = RefundSending, r.Attempts+1
	return inv.withRefund(EventRefunding, r, f)
}

// RefundNotSent records that the last attempt is proved not to have happened.
func (inv Invoice) RefundNotSent(id string, f Fact) (Invoice, error) {
	r, err := inv.underWay(id)
	if err != nil {
		return inv, err
	}
	r.Status, r.Detail = RefundWaiting, f.Why
	return inv.withRefund(EventRefunding, r, f)
}

// RefundedAs records that the provider has paid back; a refund in doubt may still turn out done.
func (inv Invoice) RefundedAs(id, ersReference string, f Fact) (Invoice, error) {
	r, ok := inv.Refund(id)
	if !ok || r.Status == RefundDone {
		return inv, fmt.Errorf("refund %q is done or unknown: %w", id, ErrNotAllowed)
	}
	r.Status, r.ErsReference, r.Detail, r.SettledAt, r.SettledBy = RefundDone, ersReference, f.Why, at(f), f.By
	return inv.withRefund(EventRefunded, r, f)
}

// RefundRefused records that a refund will not be paid, and releases what it held.
func (inv Invoice) RefundRefused(r Refund, f Fact) (Invoice, error) {
	if known, ok := inv.Refund(r.RefundID); ok {
		if r = known; r.Status == RefundDone || r.Status == RefundFailed {
			return inv, fmt.Errorf("refund %q is settled: %w", r.RefundID, ErrNotAllowed)
		}
	} else {
		r.AskedAt = f.At.UTC()
	}
	r.Status, r.Detail, r.SettledAt, r.SettledBy = RefundFailed, f.Why, at(f), f.By
	return inv.withRefund(EventRefundFailed, r, f)
}

// RefundInDoubt records that it cannot be known whether the provider has paid back. The amount stays held.
func (inv Invoice) RefundInDoubt(id string, f Fact) (Invoice, error) {
	r, err := inv.underWay(id)
	if err != nil {
		return inv, err
	}
	r.Status, r.Detail = RefundUnknown, f.Why
	return inv.withRefund(EventRefundUnknown, r, f)
}

// RefundDoubted records that a refund may have been paid without our knowing, whether or not there is an
// intent yet: after the broker was restored from a backup, anything asked for since is lost to us. It
// reserves the amount, as the intent would have, until the refund is settled.
func (inv Invoice) RefundDoubted(r Refund, f Fact) (Invoice, error) {
	known, again := inv.Refund(r.RefundID)
	switch {
	case again && known.Status != RefundSending && known.Status != RefundWaiting:
		return inv, fmt.Errorf("refund %q is %s: %w", r.RefundID, known.Status, ErrNotAllowed)
	case again:
		r = known
	default:
		if err := inv.canReserve(r.Amount); err != nil {
			return inv, err
		}
		r.AskedAt = f.At.UTC()
	}
	r.Status, r.Detail, r.InDoubt = RefundUnknown, f.Why, true
	return inv.withRefund(EventRefundUnknown, r, f)
}

// RefundSettled records what was found out about a refund in doubt: that it happened, under the
// provider's ersReference where that is known, or that it did not, which releases its amount. A refund
// that is sending or waiting counts as in doubt here, because the message that would end it may never come again.
func (inv Invoice) RefundSettled(id string, happened bool, ersReference string, f Fact) (Invoice, error) {
	r, ok := inv.Refund(id)
	if !ok {
		return inv, fmt.Errorf("refund %q: there is none: %w", id, ErrNotAllowed)
	}
	if !r.Open() {
		return inv, fmt.Errorf("refund %q is %s, not in doubt: %w", id, r.Status, ErrNotAllowed)
	}
	if happened {
		return inv.RefundedAs(id, ersReference, f)
	}
	return inv.RefundRefused(r, f)
}

func (inv Invoice) canReserve(a Amount) error {
	if a.Sign() <= 0 || a.Cmp(inv.Remaining()) > 0 {
		return fmt.Errorf("refund of %s with %s left: %w", a, inv.Remaining(), ErrNotAllowed)
	}
	return nil
}

func (inv Invoice) underWay(id string) (Refund, error) {
	r, ok := inv.Refund(id)
	if !ok || (r.Status != RefundSending && r.Status != RefundWaiting) {
		return r, fmt.Errorf("refund %q is not under way: %w", id, ErrNotAllowed)
	}
	return r, nil
}

// withRefund puts the refund in its place and sums anew what is refunded and what is held.
func (inv Invoice) withRefund(e Name, r Refund, f Fact) (Invoice, error) {
	inv.Refunds = slices.Clone(inv.Refunds)
	if i := slices.IndexFunc(inv.Refunds, func(o Refund) bool { return o.RefundID == r.RefundID }); i >= 0 {
		inv.Refunds[i] = r
	} else {
		inv.Refunds = append(inv.Refunds, r)
	}
	inv.Refunded, inv.Held = Amount{}, Amount{}
	for _, o := range inv.Refunds {
		switch {
		case o.Status == RefundDone:
			inv.Refunded = inv.Refunded.Add(o.Amount)
		case o.Open():
			inv.Held = inv.Held.Add(o.Amount)
		}
	}
	c := f.change(e, "refunder")
	c.RefundID = r.RefundID
	return inv.change(c)
}

func at(f Fact) *time.Time {
	t := f.At.UTC()
	return &t
}
