package calls

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

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
	if len(a.Only) > 0 && !slices.ContainsFunc(a.Only, func(id string) bool { return events.Token(id) == shop }) {
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
