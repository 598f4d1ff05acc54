package sandbox

import (
	"slices"
	"time"
)

// Ledger is the truth to compare with: everything that happened at the provider, each list in order.
type Ledger struct {
	At        time.Time  `json:"at"`
	Invoices  []Invoice  `json:"invoices"`
	Payments  []Payment  `json:"payments"`
	Reversals []Reversal `json:"reversals"`
	Refunds   []Refund   `json:"refunds"`
	Receipts  []Receipt  `json:"receipts"`
	Periods   []Period   `json:"periods"`
}

// Ledger is a snapshot of all terminals.
func (s *Sandbox) Ledger() Ledger { return s.LedgerOf("") }

// LedgerOf is a snapshot of one terminal, and the periods marked for it alone; of all if the name is empty.
func (s *Sandbox) LedgerOf(terminal string) Ledger {
	s.mu.Lock()
	defer s.unlock()
	s.catchUp()
	all := terminal == ""
	l := Ledger{
		At: s.clock.now(), Invoices: []Invoice{}, Payments: []Payment{}, Periods: []Period{},
		Reversals: keep(s.st.reversals, func(r Reversal) bool { return all || r.Terminal == terminal }),
		Refunds:   keep(s.st.refunds, func(r Refund) bool { return all || r.Terminal == terminal }),
		Receipts:  keep(s.st.receipts, func(r Receipt) bool { return all || r.Terminal == terminal }),
	}
	if all {
		l.Invoices = slices.Grow(l.Invoices, len(s.st.issued))
		l.Payments = slices.Grow(l.Payments, len(s.st.paid))
	}
	for _, inv := range s.st.issued {
		if all || inv.Terminal == terminal {
			l.Invoices = append(l.Invoices, inv.Invoice)
		}
	}
	for _, p := range s.st.paid {
		if all || p.Terminal == terminal {
			l.Payments = append(l.Payments, *p)
		}
	}
	for _, p := range s.st.marked {
		if all || p.Terminal == terminal {
			l.Periods = append(l.Periods, *p)
		}
	}
	return l
}

// keep copies, so that the snapshot stays as it is; an empty list is not null in JSON.
func keep[T any](list []T, wanted func(T) bool) []T {
	kept := make([]T, 0, len(list))
	for _, x := range list {
		if wanted(x) {
			kept = append(kept, x)
		}
	}
	return kept
}
