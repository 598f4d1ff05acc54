package events

import (
	"fmt"
	"strconv"
	"strings"
)

// The refundIds of refunds that seqrflow asks for itself; a shop's return may not use them, nor what [RestOf] makes of them.
const (
	RefundLate       = "late"        // of a payment that came after the invoice had ended
	RefundCancel     = "cancel"      // of an order that was canceled after it was paid
	RefundCancelRest = "cancel-rest" // of what was not paid back under RefundCancel
	RefundSecond     = "second"      // of a second payment of the same order
)

// RestOf is the refundId under which seqrflow asks for the n-th time, from 0, for what is to be paid back under id: id itself,
// then id-rest, id-rest-2, id-rest-3 and so on.
func RestOf(id string, n int) string {
	switch n {
	case 0:
		return id
	case 1:
		return id + "-rest"
	}
	return id + "-rest-" + strconv.Itoa(n)
}

// IsReservedRefund says whether the refundId is one that only seqrflow itself may ask with.
func IsReservedRefund(id string) bool {
	return ReservedRefund(id) != ""
}

// ReservedRefund is the first refundId of the row (see [RestOf]) that id is one of; "" for an id of a shop.
func ReservedRefund(id string) string {
	first, number, rest := strings.Cut(id, "-rest")
	switch first {
	case RefundLate, RefundCancel, RefundSecond:
	default:
		return ""
	}
	n, err := strconv.Atoi(strings.TrimPrefix(number, "-"))
	if !rest || number == "" || err == nil && id == RestOf(first, n) {
		return first
	}
	return ""
}

// DecodeReturn reads and checks a return. Whether its currency and digits are those of the invoice shows
// only beside the invoice: see [Return.Due].
func DecodeReturn(m Message) (Return, error) {
	r, ps := m.open(Returned)
	r.checkFields(returnedRules)
	t := Return{OrderID: r.id("orderId"), InvoiceID: r.text("invoiceId", false, MaxID), Shop: r.text("shop", true, MaxID)}
	m.matches(r, t.Shop, t.OrderID)
	t.RefundID, t.Reason = r.text("refundId", true, MaxID), r.text("reason", false, maxText)
	if IsReservedRefund(t.RefundID) {
		r.note("refundId", "expected an id of the shop's own: %q is reserved for refunds that seqrflow asks for itself", t.RefundID)
	}
	t.Currency = r.currency(false)
	all := r.isText("amount", "all")
	if !all {
		t.Amount = r.amount("amount", t.Currency, false)
	}
	var sum *Amount
	t.Rows, sum = readRows(r, t.Currency, false)
	switch {
	case all && r.raw("rows", false) != nil:
		r.note("amount", `expected the sum of the rows, or "all" without rows`)
	case t.Amount == nil:
		t.Amount = sum
	case sum != nil && sum.Cmp(*t.Amount) != 0:
		r.note("amount", "the rows sum to %s, not to %s", sum, t.Amount)
	}
	if t.Amount != nil && t.Amount.Sign() <= 0 {
		r.note("amount", "expected more than 0, got %s", t.Amount)
	}
	t.All = len(*ps) == 0 && t.Amount == nil
	return t, ps.orNil()
}

// Due is what the return asks for: its amount, or all that is left of the invoice. The error is a
// [Problem] that names the field.
func (t Return) Due(inv Invoice) (Amount, error) {
	if t.Currency != "" && t.Currency != inv.Currency {
		return Amount{}, Problem{"currency", fmt.Sprintf("expected the invoice's %s, got %s", inv.Currency, t.Currency)}
	}
	for i, row := range t.Rows {
		if _, err := row.Total.within(inv.Currency); err != nil {
			return Amount{}, Problem{fmt.Sprintf("rows[%d].total", i), err.Error()}
		}
	}
	if t.Amount == nil {
		return inv.Remaining(), nil
	}
	a, err := t.Amount.within(inv.Currency)
	if err != nil {
		return Amount{}, Problem{"amount", err.Error()}
	}
	return a, nil
}

// Conflicts says whether the return asks for something else than the known refund under the same refundId,
// and in what. It compares what was asked for, so it is not for the message that asked for the known one: a
// refund that was recorded before [Refund.All] was reads as one of a given amount.
func (t Return) Conflicts(known Refund) (string, bool) {
	var asked string
	switch {
	case t.Amount == nil && !known.All:
		asked = "all that is left"
	case t.Amount != nil && t.Amount.Cmp(known.Amount) != 0:
		asked = t.Amount.String()
	default:
		return "", false
	}
	before := known.Amount.String()
	if known.All {
		before += " (all that was left)"
	}
	return fmt.Sprintf("refundId: %q was used before, for %s, and now asks for %s: expected a refundId of its own for each refund",
		clip(t.RefundID, 80), before, asked), true
}
