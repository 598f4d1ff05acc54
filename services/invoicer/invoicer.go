// Package invoicer turns every placed order into an invoice at the provider.
//
//	consumes  orders.> (cancellations and returns are left to the canceler and the refunder)
//	publishes open.<shop>.<invoice> (the index that pollers work from) before it asks the provider;
//	          issued.<shop>.<invoice> (poll this one now; may be lost) after it has recorded the invoice
//	calls     sendInvoice (a repeated one leaves an invoice that nobody can pay: its QR code is published nowhere);
//	          cancelInvoice for such an invoice, once, when it is known
//	appends   issued, rejected
package invoicer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

const (
	// takeOverAfter is how long another message of the same order may be at the provider before this one takes over: longer
	// than its call can take.
	takeOverAfter = 30 * time.Second
	// soon is the pause before looking whether that message has led to an invoice.
	soon = time.Second
	// lookAgain is the pause before an entry is looked at once more: longer than a poller takes to remove one.
	lookAgain = 30 * time.Second
)

// Provider is the calls this worker makes; *seqr.Client implements it.
type Provider interface {
	SendInvoice(context.Context, seqr.SendInvoice) (seqr.SentInvoice, error)
	CancelInvoice(context.Context, seqr.CancelInvoice) error
	calls.Status
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

// Consumers are the durables that the worker takes its messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{{Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{events.OrdersSubjects}}}
}

// Run handles messages until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	access := calls.Access{Provider: w.Provider, Shops: w.Shops, Only: w.Only}
	return access.Consume(ctx, w.Bus, Consumers(), w.handle)
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
		return bus.Snooze(err)
	}
	if inv.Known() {
		return w.handleKnown(ctx, d, inv, order)
	}
	as, ok := w.Shops.Terminal(order.Shop)
	if !ok {
		return bus.Park(fmt.Errorf("shop: no credentials for %q in the settings", order.Shop))
	}
	return w.prepare(ctx, d, inv, order, as)
}

// handleKnown handles an order that has an invoice: the same order again is no news, another order under the same id is a
// mistake that a person has to see.
func (w *Worker) handleKnown(ctx context.Context, d bus.Delivery, inv bus.Loaded, order events.Order) bus.Outcome {
	switch {
	case inv.OrderID != order.OrderID:
		return bus.Park(fmt.Errorf("invoiceId: %q is an invoice of order %q already; name another invoiceId for order %q",
			inv.InvoiceID, inv.OrderID, order.OrderID))
	case inv.Order != nil && !inv.Order.AsksTheSame(order):
		return bus.Park(fmt.Errorf("orderId: %q was placed before with other contents (%s %s, now %s %s); "+
			"name an invoiceId to ask for another payment of the same order",
			order.OrderID, inv.Total, inv.Currency, order.Total, order.Currency))
	case inv.State.Open():
		// The process that issued it may have died before it knew that a poller will find it.
		_, _, err := w.Bus.IndexOpen(ctx, inv.Key, d.Seq)
		return bus.Recorded(err)
	}
	return bus.Done
}

// prepare makes sure, before the provider is asked, that what it answers can be recorded and that the invoice will be polled.
func (w *Worker) prepare(ctx context.Context, d bus.Delivery, inv bus.Loaded, order events.Order, as seqr.Principal) bus.Outcome {
	size, err := w.eventSize(inv, order, as)
	if err == nil {
		err = w.Bus.Room(ctx, size)
	}
	switch {
	case errors.Is(err, bus.ErrTooLarge):
		return bus.Park(fmt.Errorf("order: the invoice could not be recorded: %w; expected a smaller order, or a broker with a larger max_payload", err))
	case err != nil:
		return bus.Snooze(err)
	}
	entry, mine, err := w.Bus.IndexOpen(ctx, inv.Key, d.Seq)
	if err != nil {
		return bus.Snooze(err)
	}
	if !mine && w.Bus.Now().Sub(entry.At) < takeOverAfter {
		return bus.SnoozeFor(soon, errors.New("another message of the same order is being handled"))
	}
	return w.sendInvoice(ctx, d, inv, order, as)
}

// growth is what later events add to an invoice: the payment, a receipt, some refunds.
const growth = 32 << 10

// eventSize is the size in bytes of the largest event that the invoice is expected to have.
func (w *Worker) eventSize(inv bus.Loaded, order events.Order, as seqr.Principal) (int, error) {
	issued, err := inv.Invoice.IssuedAs(order, w.toProviderInvoice(order, seqr.SentInvoice{}, as), events.Fact{At: w.Bus.Now()})
	if err != nil {
		return 0, err
	}
	n, err := bus.EventSize(Name, issued)
	return n + growth, err
}

// sendInvoice makes the call and records its outcome.
func (w *Worker) sendInvoice(ctx context.Context, d bus.Delivery, inv bus.Loaded, order events.Order, as seqr.Principal) bus.Outcome {
	if d.Lost() {
		return bus.Dropped
	}
	ctx = seqr.WithAbout(ctx, inv.Key.String())
	begun := time.Now()
	sent, err := w.Provider.SendInvoice(ctx, seqr.SendInvoice{As: as, Invoice: w.toRequest(order)})
	fact := events.Fact{At: w.Bus.Now(), Call: calls.Of("sendInvoice", begun, err)}
	switch {
	case err == nil:
		fact.Why = "the provider accepted the order as an invoice"
		o := w.recordIssued(ctx, inv, order, w.toProviderInvoice(order, sent, as), as, fact)
		if o.IsDone() {
			// A poller may have removed the entry, for want of an invoice, just before there was one.
			entry, _, err := w.Bus.IndexOpen(ctx, inv.Key, d.Seq)
			o = bus.Recorded(err)
			if err == nil && w.Bus.Now().Sub(entry.At) > bus.ForgottenAfter-lookAgain {
				// It may be doing so right now, and die before it has looked back.
				o = bus.SnoozeFor(lookAgain, errors.New("issued; whether it stayed on the index is looked at once more"))
			}
		}
		return o.Asked()
	case seqr.IsCredentialError(err):
		return bus.Park(err).Asked()
	case seqr.IsRefused(err):
		fact.Why = "the provider refused the order: " + fact.Call.Description
		_, err := w.appendFrom(ctx, inv, func(i events.Invoice) (events.Invoice, error) { return i.RejectedFor(order, fact) })
		return bus.Recorded(err).Asked()
	}
	return calls.OutcomeOf(err)
}

// recordIssued records the invoice and tells pollers of it. When another event came first, the order was canceled meanwhile or
// another copy was quicker: then this invoice, whose QR code was never published, is withdrawn. So is one that cannot be recorded.
func (w *Worker) recordIssued(ctx context.Context, inv bus.Loaded, order events.Order, answered events.ProviderInvoice, as seqr.Principal, fact events.Fact) bus.Outcome {
	var now events.Invoice
	err := w.Bus.Insist(ctx, func(ctx context.Context) (err error) {
		now, err = w.appendFrom(ctx, inv, func(i events.Invoice) (events.Invoice, error) { return i.IssuedAs(order, answered, fact) })
		return err
	})
	if err == nil && now.InvoiceReference == answered.Reference {
		_ = w.Bus.HintIssued(inv.Key) // a poller looks again by itself soon
		return bus.Done
	}
	withdrawn := w.Provider.CancelInvoice(context.WithoutCancel(ctx), seqr.CancelInvoice{As: as, InvoiceReference: answered.Reference})
	log := w.Log.Warn().AnErr("recording", err).AnErr("withdrawing", withdrawn).Str("worker", Name).Str("shop", inv.Key.Shop).
		Str("invoice", inv.Key.Invoice).Str("state", string(now.State)).Str("reference", answered.Reference)
	switch {
	case errors.Is(err, bus.ErrTooLarge):
		log.Msg("the invoice is too large to be recorded; it was withdrawn unseen")
		return bus.Park(err)
	case err != nil:
		log.Msg("the invoice could not be recorded; it was withdrawn unseen, and the order comes again")
		return bus.Snooze(err)
	}
	log.Msg("the order had an invoice already, or was canceled; this invoice was withdrawn unseen")
	return bus.Done
}

// appendFrom appends the event unless the state has moved on, and gives the invoice as it is then.
func (w *Worker) appendFrom(ctx context.Context, inv bus.Loaded, next bus.Decide) (events.Invoice, error) {
	return w.Bus.UpdateFrom(ctx, Name, inv, bus.IfAllowed(next))
}

// toProviderInvoice is what is recorded of the provider's answer.
func (w *Worker) toProviderInvoice(o events.Order, sent seqr.SentInvoice, as seqr.Principal) events.ProviderInvoice {
	return events.ProviderInvoice{
		Terminal: as.ID, Reference: sent.Reference, QRCode: cmp.Or(sent.QRCode, seqr.QRCode(sent.Reference)),
		Link: seqr.QRLink(sent.Reference, w.DebugLink), ValidFor: cmp.Or(time.Duration(o.ValidFor), w.ValidFor),
	}
}

// toRequest is the order in the provider's terms.
func (w *Worker) toRequest(o events.Order) seqr.Invoice {
	k := o.Key()
	inv := seqr.Invoice{
		Title: cmp.Or(o.Title, o.Shop+" "+o.OrderID), ClientInvoiceID: cmp.Or(o.InvoiceID, o.OrderID), Total: seqr.Amount{Currency: o.Currency, Value: o.Total.Decimal()},
		CashierID: o.CashierID, BackURL: o.BackURL, IssueDate: w.Bus.Now(),
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
