package calls

import (
	"fmt"

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
