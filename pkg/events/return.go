package events

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// DecodeReturn reads and checks a return. Whether its currency and digits are those of the invoice shows
// only beside the invoice: see [Return.Due].
func DecodeReturn(m Message) (Return, error) {
	r, ps := m.open(Returned)
	r.checkFields(returnedRules)
	t := Return{OrderID: r.id("orderId"), InvoiceID: r.name("invoiceId", false), Shop: r.name("shop", true)}
	m.matches(r, t.Shop, t.OrderID)
	t.RefundID, t.Reason = r.name("refundId", true), r.text("reason", false, maxText)
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

// contents of a return: what the refundId stands for. Two returns with the same contents ask for the same refund, however
// their amounts are spelt; no currency means the invoice's.
type contents struct {
	All      bool
	Amount   string
	Currency string
	Reason   string
	Rows     [][]string
}

// Contents is a digest of what is asked for in an invoice of this currency: whether all, the amount, the currency, the
// reason and the rows. The same refundId always has the same contents.
func (t Return) Contents(currency string) string {
	c := contents{All: t.All, Amount: trimmedAmount(t.Amount), Currency: cmp.Or(t.Currency, currency), Reason: t.Reason}
	for _, r := range t.Rows {
		taxRate := ""
		if r.TaxRate != nil {
			taxRate = r.TaxRate.Trim(0).String()
		}
		c.Rows = append(c.Rows, []string{r.Description, r.Quantity.Trim(0).String(), trimmedAmount(r.UnitPrice), trimmedAmount(&r.Total),
			taxRate, r.SKU, r.EAN, r.Unit, trimmedAmount(r.Discount)})
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and booleans only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

func trimmedAmount(a *Amount) string {
	if a == nil {
		return ""
	}
	return a.Decimal().Trim(0).String()
}

// Conflicts says whether the return asks for something else than the known refund under the same refundId, in an invoice
// of this currency, and in what. It compares what was asked for, so it is not for the message that asked for the known one:
// a refund that was recorded before [Refund.All] or [Refund.Contents] was is compared by what it has. The refunds that
// seqrflow asks for itself have reasons of their own, so only their amounts are compared.
func (t Return) Conflicts(known Refund, currency string) (string, bool) {
	is := "other rows"
	switch {
	case t.Amount == nil && !known.All, t.Amount != nil && t.Amount.Cmp(known.Amount) != 0:
		is = t.asked() + " instead of " + known.asked()
	case IsReservedRefund(t.RefundID):
		return "", false
	case known.Contents != "" && known.Contents == t.Contents(currency):
		return "", false
	case t.Currency != "" && t.Currency != currency:
		is = "currency " + t.Currency + " instead of " + currency
	case t.Reason != known.Reason:
		is = fmt.Sprintf("reason %q instead of %q", clip(t.Reason, 80), clip(known.Reason, 80))
	case known.Contents == "":
		return "", false
	case t.All != known.All:
		is = t.asked() + " instead of " + known.asked()
	}
	return fmt.Sprintf("refundId: %q was used before with other contents, and now has %s: expected a refundId of its own for each refund",
		clip(t.RefundID, 80), is), true
}

// asked is what the shop asks for, in words.
func (t Return) asked() string {
	if t.Amount == nil {
		return "all that is left"
	}
	return t.Amount.String()
}

func (r Refund) asked() string {
	if r.All {
		return r.Amount.String() + " (all that was left)"
	}
	return r.Amount.String()
}

// The refundIds of refunds that seqrflow asks for itself. A shop's return may not use them, nor what [RestOf] makes of them.
const (
	RefundLate   = "late"   // of a payment that came after the invoice had ended
	RefundCancel = "cancel" // of an order that was canceled after it was paid
	RefundSecond = "second" // of a second payment of the same order
)

// ReservedRefunds gives the refundIds of refunds that seqrflow asks for itself.
func ReservedRefunds() []string { return []string{RefundLate, RefundCancel, RefundSecond} }

// RestOf gives the refundId under which seqrflow asks for the n-th time, from 0, for what is to be paid back under id: id itself,
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
func IsReservedRefund(id string) bool { return ReservedRefund(id) != "" }

// ReservedRefund gives the one of [ReservedRefunds] that id is, or that [RestOf] has made id of; "" for an id of a shop.
func ReservedRefund(id string) string {
	first, number, rest := strings.Cut(id, "-rest")
	if !slices.Contains(ReservedRefunds(), first) {
		return ""
	}
	n, err := strconv.Atoi(strings.TrimPrefix(number, "-"))
	if !rest || number == "" || err == nil && id == RestOf(first, n) {
		return first
	}
	return ""
}
