package sandbox

// cancelInvoice takes a bill back, unless the buyer was faster.
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
	next := *inv
	next.Status, next.Reason = Canceled, reasonCanceled
	next.Version++
	r.written = c.commit(&effect{What: "canceled", Invoices: []*invoice{&next}})
	return r
}
