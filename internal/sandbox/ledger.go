package sandbox

import "time"

// Ledger is everything that happened at the provider, each list in the order of time.
type Ledger struct {
	At        time.Time  `json:"at"`
	Invoices  []Invoice  `json:"invoices"`
	Payments  []Payment  `json:"payments"`
	Reversals []Reversal `json:"reversals"`
	Refunds   []Refund   `json:"refunds"`
	Receipts  []Receipt  `json:"receipts"`
	Periods   []Period   `json:"periods"`
}

// Ledger gives a snapshot of everything.
func (s *Sandbox) Ledger() Ledger { return s.LedgerOf("") }

// LedgerOf gives a snapshot of one terminal and the periods that were marked for it alone; of everything if the terminal is empty.
func (s *Sandbox) LedgerOf(terminal string) Ledger {
	s.mu.Lock()
	defer s.unlock()
	s.catchUp()
	wanted := func(of string) bool { return terminal == "" || of == terminal }
	return Ledger{
		At:        s.clock.now(),
		Invoices:  collect(s.st.issued, func(inv *invoice) (Invoice, bool) { return inv.Invoice, wanted(inv.Terminal) }),
		Payments:  collect(s.st.paid, func(p *Payment) (Payment, bool) { return *p, wanted(p.Terminal) }),
		Reversals: collect(s.st.reversals, func(r Reversal) (Reversal, bool) { return r, wanted(r.Terminal) }),
		Refunds:   collect(s.st.refunds, func(r Refund) (Refund, bool) { return r, wanted(r.Terminal) }),
		Receipts:  collect(s.st.receipts, func(r Receipt) (Receipt, bool) { return r, wanted(r.Terminal) }),
		Periods:   collect(s.st.marked, func(p *Period) (Period, bool) { return *p, wanted(p.Terminal) }),
	}
}

// collect copies what is wanted, so that the snapshot does not change. An empty list is not null in JSON.
func collect[From, To any](list []From, read func(From) (To, bool)) []To {
	kept := make([]To, 0, len(list))
	for _, from := range list {
		if to, wanted := read(from); wanted {
			kept = append(kept, to)
		}
	}
	return kept
}
