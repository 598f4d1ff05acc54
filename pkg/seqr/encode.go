package seqr

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// encoder writes the elements of a request, in the order of the interface: strict stacks refuse any other.
type encoder struct {
	soap.Encoder
	masked bool // a Secret is written as "***"
}

// encode writes the request in the memory of buffer, with its secrets or with "***" in their place.
func (k call) encode(config *Config, buffer []byte, masked bool) []byte {
	e := encoder{masked: masked}
	e.Begin(buffer, k.operation)
	if k.as != nil {
		e.context(config, *k.as)
	}
	if k.write != nil {
		k.write(&e)
	}
	return e.End(k.operation)
}

func (e *encoder) context(c *Config, as Principal) {
	e.Open("context")
	e.Text("channel", c.Channel)
	e.Optional("clientComment", c.Comment)
	e.Optional("clientId", c.ClientID)
	e.Optional("clientReference", c.ClientReference)
	e.Int("clientRequestTimeout", 0)
	e.Open("initiatorPrincipalId")
	e.Text("id", as.ID)
	e.Text("type", string(as.Type))
	e.Optional("userId", as.UserID)
	e.Close("initiatorPrincipalId")
	e.password(as.Password)
	e.Close("context")
}

func (e *encoder) password(s Secret) {
	text := s.Reveal()
	if e.masked {
		text = masked
	}
	e.Text("password", text)
}

func (e *encoder) invoice(v Invoice) {
	e.Open("invoice")
	e.Optional("paymentMode", string(v.PaymentMode))
	e.Text("acknowledgmentMode", string(cmp.Or(v.AcknowledgmentMode, NoAcknowledgment)))
	e.Time("issueDate", v.IssueDate)
	e.Optional("title", v.Title)
	e.Optional("clientInvoiceId", v.ClientInvoiceID)
	e.Open("invoiceRows")
	for _, row := range v.rows() {
		e.row(row, v.Total.Currency)
	}
	e.Close("invoiceRows")
	e.amount("totalAmount", v.Total, "")
	e.Optional("cashierId", v.CashierID)
	e.Optional("footer", v.Footer)
	e.Optional("backURL", v.BackURL)
	e.Optional("notificationUrl", v.NotificationURL)
	if d := v.CommitReservationTimeout; d > 0 {
		e.Int("commitReservationTimeout", int64((d+time.Second-1)/time.Second))
	}
	e.Close("invoice")
}

// rows gives the invoice's rows, or the one row over the whole total of an invoice that has none.
func (v Invoice) rows() []InvoiceRow {
	if len(v.Rows) > 0 {
		return v.Rows
	}
	return []InvoiceRow{{Description: cmp.Or(v.Title, v.ClientInvoiceID, "Total"), Total: v.Total}}
}

func (e *encoder) row(r InvoiceRow, currency string) {
	if r.Quantity.IsZero() {
		r.Quantity = decimal.One
	}
	e.Open("invoiceRow")
	e.Optional("itemDescription", r.Description)
	if r.Discount != nil {
		e.amount("itemDiscount", *r.Discount, currency)
	}
	e.Optional("itemEAN", r.EAN)
	e.Decimal("itemQuantity", r.Quantity)
	e.Optional("itemSKU", r.SKU)
	if r.TaxRate != nil {
		e.Decimal("itemTaxRate", *r.TaxRate)
	}
	e.amount("itemTotalAmount", r.Total, currency)
	e.Optional("itemUnit", r.Unit)
	if r.UnitPrice != nil {
		e.amount("itemUnitPrice", *r.UnitPrice, currency)
	}
	e.Close("invoiceRow")
}

func (e *encoder) amount(name string, a Amount, currency string) {
	e.Open(name)
	e.Optional("currency", cmp.Or(a.Currency, currency))
	e.Decimal("value", a.Value)
	e.Close(name)
}

func (e *encoder) tokens(all []CustomerToken) {
	for _, t := range all {
		e.Open("tokens")
		e.Optional("description", t.Description)
		e.Optional("id", t.ID)
		e.Int("status", int64(t.Status))
		e.Optional("value", t.Value)
		e.Close("tokens")
	}
}

// parameters writes a parameterMap in the order of its keys, unless it is empty.
func (e *encoder) parameters(m map[string]string) {
	if len(m) == 0 {
		return
	}
	e.Open("parameters")
	e.Open("parameter")
	for _, key := range slices.Sorted(maps.Keys(m)) {
		e.Open("entry")
		e.Text("key", key)
		e.Text("value", m[key])
		e.Close("entry")
	}
	e.Close("parameter")
	e.Close("parameters")
}
