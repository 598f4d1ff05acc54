package sandbox

import (
	"cmp"
	"fmt"
	"slices"
)

// updateInvoice changes an invoice that is not paid. After a scan that asks the shop it is the answer, with or without
// tokens, and lets the buyer go on. After a reservation it sets the final amount.
func updateInvoice(c *call) reply {
	inv, refused := c.own()
	if inv == nil {
		return refused
	}
	switch {
	case inv.Status == Paid:
		return refuse(systemError, "an invoice that is PAID cannot be changed")
	case inv.Status == Expired:
		return refuse(paymentExpired, "the invoice has expired")
	case !inv.Status.live():
		return refuse(rejectedBusinessLogic, "an invoice that is "+string(inv.Status)+" cannot be changed")
	case inv.confirming(c.clock.now()):
		return refuse(paymentInProgress, "the buyer is confirming")
	}
	next := *inv
	if e := c.request.child("invoice"); e != nil {
		changed, bad, note := readInvoice(e, inv.IssueDate)
		switch {
		case bad != success:
			return refuse(bad, note)
		case changed.Currency != inv.Currency:
			return refuse(invalidInvoiceData, "the currency cannot change")
		case inv.Status == Reserved && changed.Total.Cmp(inv.reserved()) > 0:
			return refuse(rejectedAmount, "the amount is above the reserved "+inv.reserved().String())
		}
		next.amend(changed)
	}
	answers, err := readTokens(c.request)
	if err == nil {
		err = next.answer(answers)
	}
	if err != nil {
		return refuse(invalidInvoiceData, err.Error())
	}
	if next.Status == Pending {
		next.Status, next.Acknowledged = Issued, true
	}
	if next.Status != inv.Status || len(next.Tokens) > len(inv.Tokens) {
		next.Version++
	}
	return reply{written: c.put("updated", &next)}
}

// amend takes over what the shop may change; what the update leaves out stays.
func (inv *invoice) amend(by *invoice) {
	inv.Total, inv.Rows = by.Total, by.Rows
	inv.PaymentMode = cmp.Or(by.PaymentMode, inv.PaymentMode)
	inv.Acknowledgment = cmp.Or(by.Acknowledgment, inv.Acknowledgment)
	inv.Title = cmp.Or(by.Title, inv.Title)
	inv.CashierID = cmp.Or(by.CashierID, inv.CashierID)
	inv.Footer = cmp.Or(by.Footer, inv.Footer)
	inv.BackURL = cmp.Or(by.BackURL, inv.BackURL)
	inv.NotificationURL = cmp.Or(by.NotificationURL, inv.NotificationURL)
	inv.ClientInvoiceID = cmp.Or(by.ClientInvoiceID, inv.ClientInvoiceID)
	inv.ReserveFor = cmp.Or(by.ReserveFor, inv.ReserveFor)
}

const (
	tokenPending = 0
	tokenUsed    = 1
	tokenBlocked = 90
	tokenUnknown = 99
)

// answer sets the status of the tokens that the shop names. One that the buyer's app has not presented is taken too: a
// card may be swiped at the till.
func (inv *invoice) answer(answers []token) error {
	tokens := append([]token(nil), inv.Tokens...)
	for _, a := range answers {
		if !slices.Contains([]int{tokenPending, tokenUsed, tokenBlocked, tokenUnknown}, a.Status) {
			return fmt.Errorf("token status %d is none of 0, 1, 90, 99", a.Status)
		}
		at := slices.IndexFunc(tokens, func(t token) bool { return t.ID == a.ID })
		if at < 0 {
			tokens = append(tokens, a)
		} else {
			tokens[at].Status = a.Status
		}
	}
	inv.Tokens = tokens
	return nil
}
