// Package calls is what the workers that call the provider have in common.
//
// [Access] gives them their messages, of the shops and terminals that they have credentials of. [Of] describes a call for the
// event that rests on it, and [OutcomeOf] says what becomes of the delivery that asked for it.
package calls

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Of describes a call that began at begun, by this machine's own clock and not the bus's, and ended with err, for the event that rests
// on it.
func Of(operation string, begun time.Time, err error) *events.Call {
	c := &events.Call{Operation: operation, Outcome: seqr.Answered.String(), Millis: time.Since(begun).Milliseconds()}
	e, known := errors.AsType[*seqr.Error](err)
	switch {
	case err == nil:
		c.Code = new(int(seqr.Success))
	case known && e.Sent == seqr.Answered:
		c.Code, c.Description = new(int(e.Code)), e.Code.String()
	case known:
		c.Outcome, c.Description = e.Sent.String(), err.Error()
	default:
		c.Outcome, c.Description = seqr.MaybeSent.String(), err.Error()
	}
	return c
}

// OutcomeOf is what becomes of a delivery whose call failed and does no harm when it is made again. A provider that cannot
// be reached, or is busy, is waited for as long as it takes. One that answers with an error of its own, or with a SOAP
// fault, gets a bounded number of attempts; one that refuses gets none.
func OutcomeOf(err error) bus.Outcome {
	switch {
	case err == nil:
		return bus.Done.Asked()
	case seqr.IsBusy(err):
		return bus.Busy(err)
	case seqr.IsUnanswered(err):
		return bus.Unanswered(err)
	case seqr.IsRefused(err):
		return bus.Park(err).Asked()
	case seqr.IsProviderFailure(err):
		return bus.Retry(err).Asked()
	case seqr.IsOutcomeUnknown(err):
		return bus.Unanswered(err)
	}
	return bus.Snooze(err).Asked()
}

// Status is the harmless question that a silent terminal is probed with.
type Status interface {
	GetPaymentStatus(context.Context, seqr.GetPaymentStatus) (seqr.PaymentStatus, error)
}

// unknownReference names no invoice: the provider answers that it does not know it.
const unknownReference = "0000000000000"

// Access is what a worker calls the provider with.
type Access struct {
	Provider Status
	Shops    Shops
	Only     []string // the shops whose messages this copy handles, by id; empty is all
}

// Consume gives the messages of each consumer to the handler of the same index, until ctx ends. A message of a shop without
// credentials goes back to the broker for another copy. A terminal that does not answer is probed before more of its messages
// are handled.
func (a Access) Consume(ctx context.Context, b *bus.Bus, consumers []bus.Consumer, handlers ...bus.Handler) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range consumers {
		c.Serves, c.Has, c.Probe = a.serves, a.has, a.probe
		g.Go(func() error { return b.Work(ctx, c, handlers[i]) })
	}
	return g.Wait()
}

// serves gives the terminal that messages of the shop, by its subject token, are about.
func (a Access) serves(shop string) (terminal string, err error) {
	if !Serves(a.Only, shop) {
		return "", bus.ErrOtherCopy
	}
	as, ok := a.Shops.Terminal(shop)
	if !ok {
		return "", fmt.Errorf("shop: no credentials for %q in the settings", shop)
	}
	return as.ID, nil
}

// has says whether this copy can call the provider about invoices of a terminal of the shop.
func (a Access) has(shop, terminal string) bool {
	_, ok := a.Shops.TerminalOf(shop, terminal)
	return ok
}

// probe asks the shop's terminal for an answer, whatever it says.
func (a Access) probe(ctx context.Context, shop string) error {
	as, ok := a.Shops.Terminal(shop)
	if !ok {
		return nil
	}
	if _, err := a.Provider.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: as, InvoiceReference: unknownReference}); seqr.IsUnanswered(err) {
		return err
	}
	return nil
}

// Shops gives the credentials that payment calls are made with. A shop may be named by its id or by its subject token.
type Shops interface {
	// Terminal is what the shop's new invoices are issued with.
	Terminal(shop string) (seqr.Principal, bool)
	// TerminalOf is what an invoice of the shop was issued with: today's terminal, or one that it had before.
	TerminalOf(shop, terminal string) (seqr.Principal, bool)
}

// Serves says whether a copy that is set to serve only these shops, by their ids, serves the shop of the subject token. Without any
// it serves all.
func Serves(only []string, shop string) bool {
	return len(only) == 0 || slices.ContainsFunc(only, func(id string) bool { return events.Token(id) == shop })
}

// As gives the credentials of the terminal that an invoice was issued on. Those of another terminal would be refused: the
// provider knows no invoice but a terminal's own. With an error this copy lacks them, and the delivery is for another: [bus.Elsewhere].
func As(shops Shops, inv events.Invoice) (seqr.Principal, error) {
	if inv.Terminal == "" { // recorded before the terminal was
		if as, ok := shops.Terminal(inv.Shop); ok {
			return as, nil
		}
	}
	if as, ok := shops.TerminalOf(inv.Shop, inv.Terminal); ok {
		return as, nil
	}
	return seqr.Principal{}, fmt.Errorf("shop: no credentials for terminal %s of %q in the settings: expected it as the shop's terminal or under its earlier_terminals", inv.Terminal, inv.Shop)
}
