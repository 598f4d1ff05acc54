package seqr

import (
	"time"

	"github.com/govalues/decimal"
)

// The order of the elements is the interface's: strict stacks refuse any other.

func (e *encoder) context(c Config, as Principal) {
	e.open("context")
	e.text("channel", c.Channel)
	e.optional("clientComment", c.Comment)
	e.optional("clientId", c.ClientID)
	e.optional("clientReference", c.ClientReference)
	e.integer("clientRequestTimeout", 0)
	e.open("initiatorPrincipalId")
	e.text("id", as.ID)
	e.text("type", string(as.Type))
	e.optional("userId", as.UserID)
	e.close("initiatorPrincipalId")
	e.secret("password", as.Password)
	e.close("context")
}

func (e *encoder) invoice(v Invoice) {
	setDefault(&v.AcknowledgmentMode, NoAcknowledgment)

	e.open("invoice")
	e.optional("paymentMode", string(v.PaymentMode))
	e.text("acknowledgmentMode", string(v.AcknowledgmentMode))
	e.time("issueDate", v.IssueDate)
	e.optional("title", v.Title)
	e.optional("clientInvoiceId", v.ClientInvoiceID)
	e.open("invoiceRows")
	for _, row := range v.rows() {
		e.row(row, v.Total.Currency)
	}
	e.close("invoiceRows")
	e.amount("totalAmount", v.Total, "")
	e.optional("cashierId", v.CashierID)
	e.optional("footer", v.Footer)
	e.optional("backURL", v.BackURL)
	e.optional("notificationUrl", v.NotificationURL)
	if v.CommitReservationTimeout > 0 {
		e.integer("commitReservationTimeout", wholeSeconds(v.CommitReservationTimeout))
	}
	e.close("invoice")
}

// rows gives the invoice's rows, or the one that balances a total without any.
func (v Invoice) rows() []InvoiceRow {
	if len(v.Rows) > 0 {
		return v.Rows
	}
	description := v.Title
	setDefault(&description, v.ClientInvoiceID)
	setDefault(&description, "Total")
	return []InvoiceRow{{Description: description, Total: v.Total}}
}

func (e *encoder) row(r InvoiceRow, currency string) {
	if r.Quantity.IsZero() {
		r.Quantity = decimal.One
	}
	e.open("invoiceRow")
	e.optional("itemDescription", r.Description)
	if r.Discount != nil {
		e.amount("itemDiscount", *r.Discount, currency)
	}
	e.optional("itemEAN", r.EAN)
	e.decimal("itemQuantity", r.Quantity)
	e.optional("itemSKU", r.SKU)
	if r.TaxRate != nil {
		e.decimal("itemTaxRate", *r.TaxRate)
	}
	e.amount("itemTotalAmount", r.Total, currency)
	e.optional("itemUnit", r.Unit)
	if r.UnitPrice != nil {
		e.amount("itemUnitPrice", *r.UnitPrice, currency)
	}
	e.close("invoiceRow")
}

func (e *encoder) amount(name string, a Amount, currency string) {
	setDefault(&a.Currency, currency)
	e.open(name)
	e.optional("currency", a.Currency)
	e.decimal("value", a.Value)
	e.close(name)
}

func (e *encoder) tokens(all []CustomerToken) {
	for _, t := range all {
		e.open("tokens")
		e.optional("description", t.Description)
		e.optional("id", t.ID)
		e.integer("status", int64(t.Status))
		e.optional("value", t.Value)
		e.close("tokens")
	}
}

func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
