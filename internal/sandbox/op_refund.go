package sandbox

import "cmp"

// refundPayment pays back the total of the invoice in the request: any number of times, up to what was paid. Nothing tells a
// repeated request from a second refund, here as at the provider.
func refundPayment(c *call) reply {
	p, refused := c.ownPayment()
	if p == nil {
		return refused
	}
	now := c.clock.now()
	inv, bad, note := readInvoice(c.request.child("invoice"), now)
	if bad != success {
		return refuse(bad, note)
	}
	if inv.Currency != p.Currency {
		return refuse(invalidInvoiceData, "the payment was in "+p.Currency)
	}
	paid := *p
	sum, err := p.Refunded.Add(inv.Total)
	if err != nil || sum.Cmp(p.Amount) > 0 {
		return refuse(refundsExceedPayment, "paid "+p.Amount.String()+", already refunded "+inCurrency(p.Refunded, p.Currency).String())
	}
	paid.Refunded = inCurrency(sum, p.Currency)
	ers := c.newSerial()
	return reply{ers: ers, written: c.commit(&effect{
		What: "refunded", Payment: &paid,
		Refund: &Refund{
			ErsReference: ers, PaymentErsReference: p.ErsReference, InvoiceReference: p.InvoiceReference,
			Terminal: p.Terminal, ClientInvoiceID: inv.ClientInvoiceID,
			Currency: p.Currency, Amount: inv.Total, At: now,
		},
		Booking: &booking{
			ErsReference: ers, Terminal: p.Terminal, Reseller: p.Reseller, CashierID: cmp.Or(inv.CashierID, p.CashierID),
			Currency: p.Currency, Amount: inv.Total.Neg(),
		},
	})}
}
