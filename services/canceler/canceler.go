// Package canceler ends invoices that are not to be paid any more. What was paid already is paid back by the refunder.
//
//	consumes  orders.*.*.canceled, invoices.*.*.overdue
//	calls     cancelInvoice (may be repeated: the second answer is 95)
//	appends   canceled, expired
package canceler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "canceler"

// soon is the pause before asking again while a buyer confirms, or until the poller has seen the payment.
const soon = time.Second

// Provider is the calls this worker makes; *seqr.Client implements it.
type Provider interface {
	CancelInvoice(context.Context, seqr.CancelInvoice) error
	calls.Status
}

// Config of the worker.
type Config struct {
	Bus      *bus.Bus
	Provider Provider
	Shops    calls.Shops
	Only     []string // takes only these shops' messages; empty takes all
}

// Worker cancels invoices. Any number of copies may run.
type Worker struct{ Config }

// New worker.
func New(c Config) *Worker { return &Worker{c} }

// Consumers are the durables that the worker takes its messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{
		{Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{"orders.*.*.canceled"}},
		{Worker: Name, Name: Name + "-overdue", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.overdue"}},
	}
}

// Run handles messages until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	access := calls.Access{Provider: w.Provider, Shops: w.Shops, Only: w.Only}
	return access.Consume(ctx, w.Bus, Consumers(), w.handleCanceled, w.Bus.OfInvoice(w.handleOverdue))
}

// handleCanceled ends the invoice that the cancellation names, or every one that the order was to be paid by.
func (w *Worker) handleCanceled(ctx context.Context, d bus.Delivery) bus.Outcome {
	c, err := events.DecodeCancellation(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	invoices, err := w.Bus.Canceled(ctx, c, d.Seq)
	if err != nil {
		return bus.Snooze(err)
	}
	outcome := bus.Done
	for _, t := range invoices {
		outcome = outcome.And(w.endCanceled(ctx, c, t)) // cancelling again those that were done does no harm
	}
	return outcome
}

// endCanceled ends one invoice of a canceled order.
func (w *Worker) endCanceled(ctx context.Context, c events.Cancellation, t bus.Try) bus.Outcome {
	inv, err := w.Bus.Load(ctx, t.Key())
	if err != nil {
		return bus.Snooze(err)
	}
	why := "the shop canceled the order"
	if c.Reason != "" {
		why += ": " + c.Reason
	}
	switch {
	case !inv.Known():
		return w.cancelBeforeIssue(ctx, inv, c, t, why)
	case inv.OrderID != c.OrderID && c.InvoiceID == "":
		return bus.Done // another order's try has taken the order's id: nothing was ever issued under it for this one
	case inv.OrderID != c.OrderID:
		return bus.Park(fmt.Errorf("invoiceId: %q is an invoice of order %q, not of %q", inv.InvoiceID, inv.OrderID, c.OrderID))
	case !inv.State.Open():
		return bus.Done
	}
	return w.endInvoice(ctx, inv, events.EventCanceled, why, bus.SnoozeFor(soon, errors.New("paid already; waiting for the poller to record it")))
}

// handleOverdue ends an invoice whose buyer's time is over. One that turns out to be paid is left to the poller.
func (w *Worker) handleOverdue(ctx context.Context, _ bus.Delivery, _ events.Invoice, inv bus.Loaded) bus.Outcome {
	switch {
	case !inv.State.Open():
		return bus.Done
	case inv.OverdueAt == nil:
		return bus.Park(errors.New("the invoice is not overdue"))
	}
	return w.endInvoice(ctx, inv, events.EventExpired, "the buyer's time was over", bus.Done)
}

// cancelBeforeIssue records the cancellation before there is an invoice, so that none will be issued.
func (w *Worker) cancelBeforeIssue(ctx context.Context, inv bus.Loaded, c events.Cancellation, t bus.Try, why string) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Why: why + " before there was an invoice"}
	c.InvoiceID = t.InvoiceID
	lost := false
	_, err := w.Bus.UpdateFrom(ctx, Name, inv, func(i events.Invoice) (events.Invoice, error) {
		if i.State != "" {
			lost = true
			return i, bus.ErrNothing
		}
		return i.CanceledBeforeIssue(c, fact)
	})
	if err == nil && lost {
		return bus.SnoozeFor(0, errors.New("the invoice was issued meanwhile"))
	}
	return bus.Recorded(err)
}

// endInvoice asks the provider to cancel the invoice and records e; paid is the outcome when the buyer has paid before.
func (w *Worker) endInvoice(ctx context.Context, inv bus.Loaded, e events.Name, why string, paid bus.Outcome) bus.Outcome {
	as, err := calls.As(w.Shops, inv.Invoice)
	if err != nil {
		return bus.Elsewhere(inv.Terminal, err)
	}
	begun := time.Now()
	err = w.Provider.CancelInvoice(seqr.WithAbout(ctx, inv.Key.String()), seqr.CancelInvoice{As: as, InvoiceReference: inv.InvoiceReference})
	switch {
	case err == nil, seqr.IsAlreadyCanceled(err):
		fact := events.Fact{At: w.Bus.Now(), Why: why, Call: calls.Of("cancelInvoice", begun, err)}
		now, err := w.Bus.UpdateFrom(ctx, Name, inv, bus.IfAllowed(func(i events.Invoice) (events.Invoice, error) {
			return i.EndedBy(e, Name, fact)
		}))
		if err == nil && now.State.Paid() {
			return paid.Asked() // recorded while we asked: the money was taken, whatever the answer said
		}
		return bus.Recorded(err).Asked()
	case seqr.IsAlreadyPaid(err):
		return paid.Asked()
	case seqr.IsBuyerConfirming(err):
		return bus.SnoozeFor(soon, err).Asked()
	}
	return calls.OutcomeOf(err)
}
