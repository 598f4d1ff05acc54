package sandbox

// getPaymentStatus tells the state of an invoice. The first answer that says PAID is the shop's acknowledgement: from then on
// the payment is final, and booked. The invoiceVersion in the request is not needed to answer.
func getPaymentStatus(c *call) reply {
	inv, refused := c.own()
	if inv == nil {
		return refused
	}
	r := reply{written: inv.written}
	if inv.Status == Paid && inv.FetchedAt.IsZero() {
		r.written = c.fetch(inv)
	}
	if inv.Status == Paid {
		r.ers = inv.ErsReference
	}
	answered, shop := *inv, c.st.shop(inv.Terminal)
	r.fields = func(w *writer) { answered.writeStatus(w, shop) }
	return r
}

// fetch makes a payment final, and books it.
func (c *call) fetch(inv *invoice) int64 {
	next, p := *inv, *c.st.payments[inv.ErsReference]
	next.FetchedAt = c.clock.now()
	p.FetchedAt = next.FetchedAt
	return c.commit(&effect{What: "fetched", Invoices: []*invoice{&next}, Payment: &p, Booking: &booking{
		ErsReference: p.ErsReference, Terminal: p.Terminal, Reseller: p.Reseller, CashierID: p.CashierID,
		Currency: p.Currency, Amount: p.Amount,
	}})
}

func (inv *invoice) writeStatus(w *writer, shop string) {
	w.leaf("status", string(inv.Status))
	if inv.Status == Paid {
		inv.writeReceipt(w, shop)
	}
	w.open("customerTokens") // also where there are none: a client of the vendor's reads them without a look
	for _, t := range inv.Tokens {
		w.open("token")
		w.optional("description", t.Description)
		w.optional("id", t.ID)
		w.integer("status", int64(t.Status))
		w.optional("value", t.Value)
		w.close("token")
	}
	w.close("customerTokens")
	w.integer("version", int64(inv.Version))
}

// writeReceipt writes the payment as the provider confirms it.
func (inv *invoice) writeReceipt(w *writer, shop string) {
	w.open("receipt")
	w.leaf("terminalId", inv.Terminal)
	w.instant("paymentDate", inv.PaidAt)
	w.optional("clientInvoiceId", inv.ClientInvoiceID)
	w.leaf("invoiceReference", inv.InvoiceReference)
	w.leaf("paymentReference", inv.ErsReference)
	w.leaf("payerTerminalId", "sandbox-buyer")
	w.leaf("receiverName", shop)
	w.open("invoice")
	w.optional("paymentMode", inv.PaymentMode)
	w.optional("acknowledgmentMode", inv.Acknowledgment)
	w.instant("issueDate", inv.IssueDate)
	w.optional("title", inv.Title)
	w.optional("clientInvoiceId", inv.ClientInvoiceID)
	if rows := inv.rows(); len(rows) > 0 {
		w.open("invoiceRows")
		for i := range rows {
			writeRow(w, &rows[i], inv.Currency)
		}
		w.close("invoiceRows")
	}
	w.amount("totalAmount", inv.Currency, inv.PaidAmount)
	w.optional("cashierId", inv.CashierID)
	w.optional("footer", inv.Footer)
	w.optional("backURL", inv.BackURL)
	w.optional("notificationUrl", inv.NotificationURL)
	if inv.ReserveFor > 0 {
		w.integer("commitReservationTimeout", int64(inv.ReserveFor.Seconds()))
	}
	w.close("invoice")
	w.close("receipt")
}

func writeRow(w *writer, r *row, currency string) {
	w.open("invoiceRow")
	w.optional("itemDescription", r.Description)
	if r.Discount != nil {
		w.amount("itemDiscount", currency, *r.Discount)
	}
	w.optional("itemEAN", r.EAN)
	if r.Quantity != nil {
		w.leaf("itemQuantity", r.Quantity.String())
	}
	w.optional("itemSKU", r.SKU)
	if r.TaxRate != nil {
		w.leaf("itemTaxRate", r.TaxRate.String())
	}
	if r.Total != nil {
		w.amount("itemTotalAmount", currency, *r.Total)
	}
	w.optional("itemUnit", r.Unit)
	if r.UnitPrice != nil {
		w.amount("itemUnitPrice", currency, *r.UnitPrice)
	}
	w.close("invoiceRow")
}
