// Package canceler ends invoices that are not to be paid any more.
//
//	consumes  orders.*.*.canceled, invoices.*.*.overdue, invoices.*.*.refund_failed (what a refund of a canceled
//	          order held, and did not pay back after all, is to be paid back too)
//	calls     cancelInvoice (may be repeated: the second answer is 95)
//	appends   canceled, expired
//	publishes orders.<shop>.<order>.returned with refundId "cancel" or "cancel-rest", when the order was paid already
package canceler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Name of the worker.
const Name = "canceler"

// soon is the pause before asking again while a buyer confirms, or until the poller has seen the payment.
const soon = time.Second

// Provider is the one call this worker makes; *seqr.Client implements it.
type Provider interface {
	CancelInvoice(context.Context, seqr.CancelInvoice) error
}

// Config of the worker.
type Config struct {
	Bus      *bus.Bus
	Provider Provider
	Shops    calls.Shops
	Only     []string // takes only these shops' messages; empty takes all
}

// Worker cancels. Any number of copies may run.
type Worker struct{ Config }

// New worker.
func New(c Config) *Worker { return &Worker{c} }

// Run until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return w.Bus.Work(ctx, bus.Consumer{
			Worker: Name, Name: Name, Stream: events.OrdersStream, Filters: []string{"orders.*.*.canceled"}, Shops: w.Only,
		}, w.orderCanceled)
	})
	g.Go(func() error {
		return w.Bus.Work(ctx, bus.Consumer{
			Worker: Name, Name: Name + "-overdue", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.overdue"}, Shops: w.Only,
		}, w.overdue)
	})
	g.Go(func() error {
		return w.Bus.Work(ctx, bus.Consumer{
			Worker: Name, Name: Name + "-rest", Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.refund_failed"}, Shops: w.Only,
		}, w.released)
	})
	return g.Wait()
}

func (w *Worker) orderCanceled(ctx context.Context, d bus.Delivery) bus.Outcome {
	c, err := events.DecodeCancellation(d.Message)
	if err != nil {
		return bus.Park(err)
	}
	inv, err := w.Bus.Load(ctx, c.Key())
	if err != nil {
		return bus.Hold(err)
	}
	why := "the shop canceled the order"
	if c.Reason != "" {
		why += ": " + c.Reason
	}
	switch {
	case inv.Seq == 0:
		return w.unseen(ctx, inv, c, why)
	case inv.State == events.Paid || inv.State == events.Receipted:
		return w.askRefund(ctx, inv.Invoice, c)
	case inv.State.Final():
		return bus.Done
	}
	return w.end(ctx, inv, events.EventCanceled, why, bus.HoldFor(soon, errors.New("paid already; waiting for the poller to record it")))
}

// overdue ends an invoice whose time is over. One that turns out to be paid is left to the poller.
func (w *Worker) overdue(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := w.Bus.Load(ctx, d.Key())
	if err != nil {
		return bus.Hold(err)
	}
	if inv.State.Final() {
		return bus.Done
	}
	return w.end(ctx, inv, events.EventExpired, "the buyer's time was over", bus.Done)
}

// unseen records the cancellation before there is an invoice, so that none will be issued.
func (w *Worker) unseen(ctx context.Context, inv bus.Loaded, c events.Cancellation, why string) bus.Outcome {
	fact := events.Fact{At: w.Bus.Now(), Why: why + " before there was an invoice"}
	lost := false
	_, err := w.Bus.UpdateFrom(ctx, Name, inv, func(i events.Invoice) (events.Invoice, error) {
		if i.State != "" {
			lost = true
			return i, bus.ErrNothing
		}
		return i.CanceledUnseen(c, fact)
	})
	if err == nil && lost {
		return bus.HoldFor(0, errors.New("the invoice was issued meanwhile"))
	}
	return bus.Recorded(err)
}

// end asks the provider to cancel and records e; paid is the outcome when the buyer was quicker.
func (w *Worker) end(ctx context.Context, inv bus.Loaded, e events.Name, why string, paid bus.Outcome) bus.Outcome {
	as, ok := w.Shops.Terminal(inv.Shop)
	if !ok {
		return bus.Park(fmt.Errorf("shop: no credentials for %q in the settings", inv.Shop))
	}
	begun := w.Bus.Now()
	err := w.Provider.CancelInvoice(seqr.WithAbout(ctx, inv.Key.String()), seqr.CancelInvoice{As: as, InvoiceReference: inv.InvoiceReference})
	code, _ := seqr.CodeOf(err)
	switch {
	case err == nil, code == seqr.InvoiceAlreadyCanceled:
		fact := events.Fact{At: w.Bus.Now(), Why: why, Call: calls.Of("cancelInvoice", begun, err)}
		now, err := w.Bus.UpdateFrom(ctx, Name, inv, func(i events.Invoice) (events.Invoice, error) {
			if !i.Can(e) {
				return i, bus.ErrNothing
			}
			return i.EndedBy(e, Name, fact)
		})
		if err == nil && now.State.WasPaid() {
			return paid // recorded while we asked: the money was taken, whatever the answer said
		}
		return bus.Recorded(err)
	case code == seqr.CannotCancelPaidInvoice:
		return paid
	case code == seqr.CannotCancelInvoiceInProgress:
		return bus.HoldFor(soon, err)
	}
	return calls.Repeatable(err)
}

// released asks for what a refund of a canceled order held until now.
func (w *Worker) released(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := w.Bus.Load(ctx, d.Key())
	if err != nil {
		return bus.Hold(err)
	}
	m, canceled, err := w.Bus.LastOrder(ctx, inv.Shop, inv.OrderID, events.OrderCanceled)
	if err != nil {
		return bus.Hold(err)
	}
	if !canceled {
		return bus.Done
	}
	c, err := events.DecodeCancellation(m)
	if err != nil || c.Key() != inv.Key {
		return bus.Done // that cancellation is parked, or is about another invoice
	}
	return w.askRefund(ctx, inv.Invoice, c)
}

// askRefund turns the cancellation of a paid order into a return of all that is left. The fixed refundIds make
// a second request harmless.
func (w *Worker) askRefund(ctx context.Context, inv events.Invoice, c events.Cancellation) bus.Outcome {
	id := ask(inv)
	if id == "" {
		return bus.Done
	}
	message := "cancel-refund-" + id + "-" + inv.Key().Shop + "-" + inv.Key().Invoice
	return bus.Recorded(w.Bus.PublishOrder(ctx, "/seqrflow/"+Name, c.Shop, c.OrderID, message, events.Returned, events.Return{
		OrderID: c.OrderID, InvoiceID: c.InvoiceID, Shop: c.Shop, RefundID: id, Reason: "the order was canceled after it was paid",
	}))
}

// ask gives the refundId to ask with; empty when nothing is left or both have been used.
func ask(inv events.Invoice) string {
	if inv.Remaining().Sign() == 0 {
		return ""
	}
	for _, id := range []string{CancelRefund, CancelRestRefund} {
		if r, asked := inv.Refund(id); !asked {
			return id
		} else if r.Status == events.RefundFailed {
			return ""
		}
	}
	return ""
}

// The refundIds of the refunds that follow from a canceled order: of what is left, and of what other refunds held then.
const (
	CancelRefund     = "cancel"
	CancelRestRefund = "cancel-rest"
)
