// Package invoicer turns every placed order into an invoice at the provider.
//
//	consumes  orders.> (cancellations and returns are left to the canceler and the refunder)
//	calls     sendInvoice (a repeated one leaves a bill that nobody can pay: its QR code is published nowhere);
//	          cancelInvoice for such a bill, once, when it is known
//	appends   issued, rejected
package invoicer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "invoicer"

// Provider is the calls this worker makes; *seqr.Client implements it.
type Provider interface {
	SendInvoice(context.Context, seqr.SendInvoice) (seqr.SentInvoice, error)
	CancelInvoice(context.Context, seqr.CancelInvoice) error
}

// Config of the worker.
type Config struct {
	Bus       *bus.Bus
	Provider  Provider
	Shops     calls.Shops
	Only      []string      // takes only these shops' orders; empty takes all
	ValidFor  time.Duration // how long a buyer may take when the order does not say
	NotifyURL string        // where the provider reaches the gateway; "" asks for no notification
	DebugLink bool          // the provider is a test system, which the buyer's app opens by another scheme
	Log       zerolog.Logger
}

// Worker turns orders into invoices. Any number of copies may run.
type Worker struct{ Config }

// New worker.
func New(c Config) *Worker { return &Worker{c} }

// Run until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	return w.Bus.Work(ctx, bus.Consumer{
		Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{events.OrdersSubjects}, Shops: w.Only,
	}, w.handle)
}

func (w *Worker) handle(ctx context.Context, d bus.Delivery) bus.Outcome {
	a, err := d.Address()
	if err != nil {
		return bus.Park(err)
	}
	if events.OrderName(a.Event) != events.Placed {
		return bus.Done
	}
	order, err := events.DecodeOrder(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	inv, err := w.Bus.Load(ctx, order.Key())
	if err != nil {
		return bus.Hold(err)
	}
	if inv.Seq > 0 {
		return known(inv.Invoice, order)
	}
	as, ok := w.Shops.Terminal(order.Shop)
	if !ok {
		return bus.Park(fmt.Errorf("shop: no credentials for %q in the settings", order.Shop))
	}
	return w.send(ctx, inv, order, as)
}

// known is the end of an order that has an invoice: the same order again is no news, another order
// under the same id is a mistake that somebody has to see.
func known(inv events.Invoice, order events.Order) bus.Outcome {
	if inv.Order == nil || reflect.DeepEqual(canonical(*inv.Order), canonical(order)) {
		return bus.Done
	}
	return bus.Park(fmt.Errorf("orderId: %q was placed before with other contents (%s %s, now %s %s); "+
		"name an invoiceId to ask for another payment of the same order",
		order.OrderID, inv.Total, inv.Currency, order.Total, order.Currency))
}

// canonical is what makes two orders the same for the buyer: what is paid and for what.
func canonical(o events.Order) []string {
	out := []string{o.Currency, o.Total.Decimal().Trim(0).String()}
	for _, r := range o.Rows {
		out = append(out, r.Description, r.Quantity.Trim(0).String(), r.Total.Decimal().Trim(0).String())
	}
	return out
}

func (w *Worker) send(ctx context.Context, inv bus.Loaded, order events.Order, as seqr.Principal) bus.Outcome {
	ctx = seqr.WithAbout(ctx, inv.Key.String())
	begun := w.Bus.Now()
	sent, err := w.Provider.SendInvoice(ctx, seqr.SendInvoice{As: as, Invoice: w.bill(order)})
	fact := events.Fact{At: w.Bus.Now(), Call: calls.Of("sendInvoice", begun, err)}
	switch {
	case err == nil:
		fact.Why = "the provider accepted the order as a bill"
		return w.publish(ctx, inv, order, w.issued(order, sent, as), as, fact)
	case calls.Credentials(err):
		return bus.Park(err)
	case seqr.Classify(err) == seqr.Refused:
		fact.Why = "the provider refused the order: " + fact.Call.Description
		_, err := w.record(ctx, inv, func(i events.Invoice) (events.Invoice, error) { return i.RejectedFor(order, fact) })
		return bus.Recorded(err)
	}
	return calls.Repeatable(err)
}

// publish records the bill. When another event came first, the order was canceled meanwhile or another
// copy was quicker: then this bill, which nobody has seen, is withdrawn. That it may not work does no harm.
func (w *Worker) publish(ctx context.Context, inv bus.Loaded, order events.Order, bill events.Bill, as seqr.Principal, fact events.Fact) bus.Outcome {
	now, err := w.record(ctx, inv, func(i events.Invoice) (events.Invoice, error) { return i.IssuedAs(order, bill, fact) })
	if err != nil {
		return bus.Hold(err)
	}
	if now.InvoiceReference == bill.Reference {
		return bus.Done
	}
	err = w.Provider.CancelInvoice(ctx, seqr.CancelInvoice{As: as, InvoiceReference: bill.Reference})
	w.Log.Warn().Err(err).Str("worker", Name).Str("shop", inv.Key.Shop).Str("invoice", inv.Key.Invoice).Str("state", string(now.State)).
		Str("reference", bill.Reference).Msg("the invoice had another life already; this bill was withdrawn unseen")
	return bus.Done
}

// record appends unless the state has moved on, and gives the invoice as it is then.
func (w *Worker) record(ctx context.Context, inv bus.Loaded, next bus.Decide) (events.Invoice, error) {
	return w.Bus.UpdateFrom(ctx, Name, inv, func(i events.Invoice) (events.Invoice, error) {
		after, err := next(i)
		if errors.Is(err, events.ErrNotAllowed) {
			return i, bus.ErrNothing
		}
		return after, err
	})
}

func (w *Worker) issued(o events.Order, sent seqr.SentInvoice, as seqr.Principal) events.Bill {
	valid := time.Duration(o.ValidFor)
	if valid == 0 {
		valid = w.ValidFor
	}
	qr := sent.QRCode
	if qr == "" {
		qr = seqr.QRCode(sent.Reference)
	}
	return events.Bill{
		Terminal: as.ID, Reference: sent.Reference, QRCode: qr,
		Link: seqr.QRLink(sent.Reference, w.DebugLink), ValidFor: valid,
	}
}

func (w *Worker) bill(o events.Order) seqr.Invoice {
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
		inv.Rows = append(inv.Rows, billRow(r, o.Currency))
	}
	return inv
}

func billRow(r events.Row, currency string) seqr.InvoiceRow {
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
