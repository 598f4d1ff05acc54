package invoicer

import (
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// toProviderInvoice is what is recorded of the provider's answer.
func (w *Worker) toProviderInvoice(o events.Order, sent seqr.SentInvoice, as seqr.Principal) events.ProviderInvoice {
	valid := time.Duration(o.ValidFor)
	if valid == 0 {
		valid = w.ValidFor
	}
	qr := sent.QRCode
	if qr == "" {
		qr = seqr.QRCode(sent.Reference)
	}
	return events.ProviderInvoice{
		Terminal: as.ID, Reference: sent.Reference, QRCode: qr,
		Link: seqr.QRLink(sent.Reference, w.DebugLink), ValidFor: valid,
	}
}

// toRequest is the order in the provider's terms.
func (w *Worker) toRequest(o events.Order) seqr.Invoice {
	k := o.Key()
	inv := seqr.Invoice{
		Title: o.Title, ClientInvoiceID: o.OrderID, Total: seqr.Amount{Currency: o.Currency, Value: o.Total.Decimal()},
		CashierID: o.CashierID, BackURL: o.BackURL, IssueDate: w.Bus.Now(),
	}
	if o.InvoiceID != "" {
		inv.ClientInvoiceID = o.InvoiceID
	}
	if inv.Title == "" {
		inv.Title = o.Shop + " " + o.OrderID
	}
	if w.NotifyURL != "" {
		inv.NotificationURL = strings.TrimSuffix(w.NotifyURL, "/") + "/notify/" + k.Shop + "/" + k.Invoice
	}
	for _, r := range o.Rows {
		inv.Rows = append(inv.Rows, toRequestRow(r, o.Currency))
	}
	return inv
}

func toRequestRow(r events.Row, currency string) seqr.InvoiceRow {
	money := func(a *events.Amount) *seqr.Amount {
		if a == nil {
			return nil
		}
		return &seqr.Amount{Currency: currency, Value: a.Decimal()}
	}
	return seqr.InvoiceRow{
		Description: r.Description, Quantity: r.Quantity, Total: *money(&r.Total), UnitPrice: money(r.UnitPrice),
		Discount: money(r.Discount), TaxRate: r.TaxRate, SKU: r.SKU, EAN: r.EAN, Unit: r.Unit,
	}
}
