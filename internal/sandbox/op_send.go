package sandbox

import "cmp"

// The texts of QR codes begin with these, and end with an invoiceReference or a seqrId.
const (
	invoiceCode  = "HTTP://SEQR.SE/R"
	terminalCode = "HTTP://SEQR.SE/Q"
)

// sendInvoice makes an invoice. It is not idempotent: sent twice, there are two.
func sendInvoice(c *call) reply {
	now := c.clock.now()
	inv, refused, note := readInvoice(c.request.child("invoice"), now)
	if refused != success {
		return refuse(refused, note)
	}
	tokens, err := readTokens(c.request)
	if err != nil {
		return refuse(invalidInvoiceData, err.Error())
	}
	inv.Tokens = tokens
	inv.Acknowledgment = cmp.Or(inv.Acknowledgment, requireAcknowledgment)
	inv.InvoiceReference, inv.Terminal = c.newReference(), c.terminal.ID
	inv.Status, inv.Version, inv.IssuedAt = Issued, c.cfg.FirstVersion, now

	e := &effect{What: "issued", Invoices: []*invoice{inv}}
	if last := c.terminal.current; c.terminal.CashRegister && last != nil {
		e.Invoices = []*invoice{last.as(Canceled, reasonReplaced), inv}
	}
	ref, id, terminal := inv.InvoiceReference, inv.ClientInvoiceID, inv.Terminal
	r := reply{written: c.commit(e), fields: func(w *writer) {
		w.leaf("invoiceQRCode", invoiceCode+ref)
		w.leaf("invoiceReference", ref)
	}}
	if tell := c.cfg.OnInvoice; tell != nil {
		r.after = func() { tell(ref, id, terminal) }
	}
	return r
}
