package sandbox

// commitReservation takes the money that the buyer has reserved: all of it, or the smaller amount that the call names. The
// payment is then like any other, and goes back unless PAID is fetched in time.
func commitReservation(c *call) reply {
	inv, refused := c.own()
	if inv == nil {
		return refused
	}
	if inv.Status != Reserved {
		return reply{code: notReserved, note: "the invoice is " + string(inv.Status), written: inv.written}
	}
	amount := inv.Total
	if e := c.request.child("amount"); e != nil {
		value, err := amountOf(e, inv.Currency)
		switch {
		case err != nil:
			return refuse(invalidInvoiceData, "amount: "+err.Error())
		case value == nil || !value.IsPos():
			return refuse(invalidInvoiceData, "amount must be above zero")
		case value.Cmp(inv.reserved()) > 0:
			return refuse(rejectedAmount, "amount is above the reserved "+inv.reserved().String())
		}
		amount = *value
	}
	return c.pay(inv, amount)
}
