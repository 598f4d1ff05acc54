package chaos

import (
	"slices"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// checkMoney sees that the order is paid here if and only if it is paid there, on the bill that was shown.
func (e *evidence) checkMoney(o order, last events.Invoice) {
	kept := 0
	for _, p := range e.ledger.Payments {
		if p.ClientInvoiceID != o.ID || !p.ReversedAt.IsZero() {
			continue
		}
		kept++
		switch {
		case p.InvoiceReference != last.InvoiceReference:
			e.report("%s: the bill %s was paid, and the one recorded is %s", o.ID, p.InvoiceReference, last.InvoiceReference)
		case !last.State.Paid():
			e.report("%s: %s at the provider keeps %s of the buyer's", o.ID, last.State, p.Amount)
		case last.ErsReference != p.ErsReference || last.Total.Decimal().Cmp(p.Amount) != 0:
			e.report("%s: paid as %s with %s there, as %s with %s here", o.ID, p.ErsReference, p.Amount, last.ErsReference, last.Total)
		}
	}
	if last.State.Paid() != (kept == 1) {
		e.report("%s: %s here, %d payments kept there", o.ID, last.State, kept)
	}
}

// checkRefunds pairs every refund there with one here. What is left over there must be one whose answer was
// lost: done by proof, or in doubt.
func (e *evidence) checkRefunds(o order, last events.Invoice) {
	var there []sandbox.Refund
	for _, r := range e.ledger.Refunds {
		if r.ClientInvoiceID == o.ID {
			there = append(there, r)
		}
	}
	take := func(fits func(sandbox.Refund) bool) bool {
		i := slices.IndexFunc(there, fits)
		if i >= 0 {
			there = slices.Delete(there, i, i+1)
		}
		return i >= 0
	}
	for _, named := range []bool{true, false} { // those that name theirs come first
		for _, r := range last.Refunds {
			if r.Status == events.RefundDone && (r.ErsReference != "") == named && !take(func(t sandbox.Refund) bool {
				return t.Amount.Cmp(r.Amount.Decimal()) == 0 && (!named || t.ErsReference == r.ErsReference)
			}) {
				e.report("%s: refund %s of %s (%s) was not made at the provider", o.ID, r.RefundID, r.Amount, r.ErsReference)
			}
		}
	}
	for _, r := range last.Refunds {
		switch r.Status {
		case events.RefundUnknown:
			e.checkDoubt(o, last, r)
			take(func(t sandbox.Refund) bool { return t.Amount.Cmp(r.Amount.Decimal()) == 0 })
		case events.RefundFailed:
			e.checkFailed(o, last, r)
		case events.RefundSending, events.RefundWaiting:
			e.report("%s: refund %s is still %s", o.ID, r.RefundID, r.Status)
		}
	}
	for _, t := range there {
		e.report("%s: the provider paid back %s (%s) that nothing here explains", o.ID, t.Amount, t.ErsReference)
	}
}

// checkDoubt sees that an attempt at the refund is left whose answer no worker has had that could record it. Refunds of
// the same amount are taken together, since the provider knows them by nothing else.
func (e *evidence) checkDoubt(o order, last events.Invoice, r events.Refund) {
	attempts := 0
	for _, other := range last.Refunds {
		if other.Amount.Cmp(r.Amount) == 0 {
			attempts += other.Attempts
		}
	}
	answers := e.calls.count(func(c called) bool {
		return c.op == "refundPayment" && c.about == o.ID && c.amount == r.Amount.String() && c.heard()
	})
	if answers >= attempts {
		e.report("%s: refund %s of %s is in doubt, and %d attempts were all answered", o.ID, r.RefundID, r.Amount, attempts)
	}
}

// checkFailed sees that a refund was refused because there was too little left, or by the provider.
func (e *evidence) checkFailed(o order, last events.Invoice, r events.Refund) {
	left := last.Remaining()
	if r.Amount.Cmp(left) <= 0 && r.Amount.Sign() > 0 && e.refusedRefunds(o.ID) == 0 {
		e.report("%s: refund %s of %s failed with %s left (%s)", o.ID, r.RefundID, r.Amount, left, r.Detail)
	}
}
