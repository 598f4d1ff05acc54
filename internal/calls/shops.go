package calls

import (
	"context"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Shops gives the credentials that payment calls are made with. A shop may be named by its id or by its subject token.
type Shops interface {
	// Terminal is what the shop's new invoices are issued with.
	Terminal(shop string) (seqr.Principal, bool)
	// TerminalOf is what an invoice of the shop was issued with: today's terminal, or one that it had before.
	TerminalOf(shop, terminal string) (seqr.Principal, bool)
}

// Serving gives what a consumer asks of its worker: which shops this copy handles, all unless some are named, and which
// terminal of the provider a shop's messages are about.
func Serving(shops Shops, only []string) func(shop string) (terminal string, err error) {
	named := map[string]bool{}
	for _, s := range only {
		named[events.Token(s)] = true
	}
	return func(shop string) (string, error) {
		if len(named) > 0 && !named[shop] {
			return "", bus.ErrOtherCopy
		}
		as, ok := shops.Terminal(shop)
		if !ok {
			return "", fmt.Errorf("shop: no credentials for %q in the settings", shop)
		}
		return as.ID, nil
	}
}

// Has gives what a consumer asks of its worker: whether this copy can call the provider about invoices of a terminal of a shop.
func Has(shops Shops) func(shop, terminal string) bool {
	return func(shop, terminal string) bool {
		_, ok := shops.TerminalOf(shop, terminal)
		return ok
	}
}

// Status is the harmless question that a silent terminal is probed with.
type Status interface {
	GetPaymentStatus(context.Context, seqr.GetPaymentStatus) (seqr.PaymentStatus, error)
}

// nobodysReference names no invoice: the provider answers that it does not know it.
const nobodysReference = "0000000000000"

// Probe gives the question whether the shop's terminal answers at all; whatever it answers is good.
func Probe(provider Status, shops Shops) func(ctx context.Context, shop string) error {
	return func(ctx context.Context, shop string) error {
		as, ok := shops.Terminal(shop)
		if !ok {
			return nil
		}
		_, err := provider.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: as, InvoiceReference: nobodysReference})
		if seqr.IsUnanswered(err) {
			return err
		}
		return nil
	}
}

// As gives the credentials of the terminal that an invoice was issued on. Those of another terminal would be refused: the
// provider knows no invoice but a terminal's own.
func As(shops Shops, inv events.Invoice) (seqr.Principal, error) {
	if inv.Terminal == "" { // recorded before the terminal was
		if as, ok := shops.Terminal(inv.Shop); ok {
			return as, nil
		}
	}
	if as, ok := shops.TerminalOf(inv.Shop, inv.Terminal); ok {
		return as, nil
	}
	return seqr.Principal{}, &NoCredentials{Shop: inv.Shop, Terminal: inv.Terminal}
}

// NoCredentials says that the settings lack those of a terminal that has invoices.
type NoCredentials struct{ Shop, Terminal string }

func (e *NoCredentials) Error() string {
	return fmt.Sprintf("shop: no credentials for terminal %s of %q in the settings: expected it as the shop's terminal or under its earlier_terminals", e.Terminal, e.Shop)
}
