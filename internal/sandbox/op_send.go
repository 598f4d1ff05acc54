package sandbox

// sendInvoice puts up a bill. It is not idempotent: sent twice, there are two.
func sendInvoice(c *call) reply {
	now := c.clock.now()
	inv, refused, note := readBill(c.op.child("invoice"), now)
	if refused != success {
		return refuse(refused, note)
	}
	tokens, err := readTokens(c.op)
	if err != nil {
		return refuse(invalidInvoiceData, err.Error())
	}
	inv.Tokens = tokens
	if inv.Acknowledgment == "" {
		inv.Acknowledgment = requireAcknowledgment
	}
	inv.InvoiceReference, inv.Terminal = c.newReference(), c.terminal.ID
	inv.Status, inv.Version, inv.IssuedAt = Issued, c.cfg.FirstVersion, now

	e := &effect{What: "issued", Invoices: []*invoice{inv}}
	if last := c.terminal.current; c.terminal.CashRegister && last != nil {
		replaced := *last
		replaced.Status, replaced.Reason = Canceled, reasonReplaced
		replaced.Version++
		e.Invoices = []*invoice{&replaced, inv}
	}
	ref, id, terminal := inv.InvoiceReference, inv.ClientInvoiceID, inv.Terminal
	c.ext.leaf("invoiceQRCode", "HTTP://SEQR.SE/R"+ref)
	c.ext.leaf("invoiceReference", ref)
	r := reply{written: c.commit(e)}
	if tell := c.cfg.OnInvoice; tell != nil {
		r.after = func() { tell(ref, id, terminal) }
	}
	return r
}
