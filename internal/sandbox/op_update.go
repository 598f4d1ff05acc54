package sandbox

import "fmt"

// updateInvoice changes a bill that nobody has paid; with loyalty it is the merchant's answer to the buyer's tokens, and
// only then can the buyer confirm.
func updateInvoice(c *call) reply {
	inv, refused := c.own()
	if inv == nil {
		return refused
	}
	switch {
	case inv.Status == Expired:
		return refuse(paymentExpired, "the invoice has expired")
	case inv.Status != Issued && inv.Status != Pending:
		return refuse(rejectedBusinessLogic, "an invoice that is "+string(inv.Status)+" cannot be changed")
	case inv.confirming(c.clock.now()):
		return refuse(paymentInProgress, "the buyer is confirming")
	}
	next := *inv
	if e := c.op.child("invoice"); e != nil {
		changed, bad, note := readBill(e, inv.IssueDate)
		if bad != success {
			return refuse(bad, note)
		}
		if changed.Currency != inv.Currency {
			return refuse(invalidInvoiceData, "the currency cannot change")
		}
		next.amend(changed)
	}
	answers, err := readTokens(c.op)
	if err == nil {
		next.Tokens, err = answer(inv.Tokens, answers)
	}
	if err != nil {
		return refuse(invalidInvoiceData, err.Error())
	}
	next.acknowledge()
	return reply{written: c.commit(&effect{What: "updated", Invoices: []*invoice{&next}})}
}

// amend takes over what the merchant may change; what the update leaves out stays.
func (inv *invoice) amend(by *invoice) {
	inv.Total, inv.Rows = by.Total, by.Rows
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&inv.PaymentMode, by.PaymentMode}, {&inv.Acknowledgment, by.Acknowledgment}, {&inv.Title, by.Title},
		{&inv.CashierID, by.CashierID}, {&inv.Footer, by.Footer}, {&inv.BackURL, by.BackURL},
		{&inv.NotificationURL, by.NotificationURL}, {&inv.ClientInvoiceID, by.ClientInvoiceID},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if by.ReserveFor != 0 {
		inv.ReserveFor = by.ReserveFor
	}
}

// acknowledge lets the buyer go on, once no token is without an answer. Where loyalty is wanted, there has to be one.
func (inv *invoice) acknowledge() {
	if len(inv.Tokens) == 0 && inv.Acknowledgment != "" {
		return
	}
	for _, t := range inv.Tokens {
		if t.Status == tokenPending {
			return
		}
	}
	inv.Acknowledged = true
	if inv.Status == Pending {
		inv.Status = Issued
		inv.Version++
	}
}

const (
	tokenPending = 0
	tokenUsed    = 1
	tokenBlocked = 90
	tokenUnknown = 99
)

// answer sets the status of the tokens that the merchant names.
func answer(tokens, answers []token) ([]token, error) {
	answered := append([]token(nil), tokens...)
	for _, a := range answers {
		if a.Status != tokenUsed && a.Status != tokenBlocked && a.Status != tokenUnknown {
			return nil, fmt.Errorf("token status %d is none of 1, 90, 99", a.Status)
		}
		found := false
		for i := range answered {
			if answered[i].ID == a.ID {
				answered[i].Status, found = a.Status, true
			}
		}
		if !found {
			return nil, fmt.Errorf("token %.60q was not presented", a.ID)
		}
	}
	return answered, nil
}
