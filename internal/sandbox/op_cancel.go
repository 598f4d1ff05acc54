package sandbox

// cancelInvoice cancels an invoice, unless the buyer has paid it or is confirming.
func cancelInvoice(c *call) reply {
	inv, refused := c.own()
	if inv == nil {
		return refused
	}
	r := reply{written: inv.written}
	switch {
	case inv.Status == Paid:
		r.code = cannotCancelPaid
		return r
	case !inv.Status.live():
		r.code, r.note = alreadyCanceled, "the invoice is "+string(inv.Status)
		return r
	case inv.confirming(c.clock.now()):
		r.code, r.note = cannotCancelInProgress, "the buyer is confirming"
		return r
	}
	r.written = c.put("canceled", inv.as(Canceled, reasonCanceled))
	return r
}
