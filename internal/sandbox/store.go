package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// effect is one change of the provider's state, written and applied as a whole. Records in it replace those of the same key.
type effect struct {
	At           time.Time  `json:"at"`
	What         string     `json:"what"`
	Serial       uint64     `json:"serial,omitempty"`
	Reference    int64      `json:"reference,omitempty"`
	Invoices     []*invoice `json:"invoices,omitempty"`
	Payment      *Payment   `json:"payment,omitempty"`
	Reversal     *Reversal  `json:"reversal,omitempty"`
	Refund       *Refund    `json:"refund,omitempty"`
	Receipt      *Receipt   `json:"receipt,omitempty"`
	Period       *Period    `json:"period,omitempty"`
	Booking      *booking   `json:"booking,omitempty"`
	Terminal     *terminal  `json:"terminal,omitempty"`
	Unregistered string     `json:"unregistered,omitempty"`
	Asked        string     `json:"asked,omitempty"` // period whose report was asked for
}

// store is the provider's state. Sandbox.mu guards it.
type store struct {
	serial    uint64 // of ersReferences and periods
	reference int64  // the last invoiceReference

	invoices  map[string]*invoice
	issued    []*invoice // in order
	payments  map[string]*Payment
	paid      []*Payment
	reversals []Reversal
	refunds   []Refund
	refundAt  map[string]int // ersReference → index in refunds
	receipts  []Receipt
	bookings  []booking // only appended to: a slice of it may be read without the lock
	periods   map[string]*Period
	marked    []*Period
	marks     map[string]*Period // the last period of each scope
	asked     map[string]bool    // periods whose report was asked for
	terminals map[string]*terminal
	resellers map[string]string // id/user → hash of the password
	seqrIDs   map[string]*terminal
}

func newStore(cfg *Config) *store {
	st := &store{
		invoices: map[string]*invoice{}, payments: map[string]*Payment{}, refundAt: map[string]int{},
		periods: map[string]*Period{}, marks: map[string]*Period{}, asked: map[string]bool{},
		terminals: map[string]*terminal{}, resellers: map[string]string{}, seqrIDs: map[string]*terminal{},
	}
	for _, t := range cfg.Terminals {
		st.terminals[t.ID] = &terminal{
			ID: t.ID, Name: t.Name, Reseller: t.Reseller, CashRegister: t.CashRegister, Hash: hash(t.ID, t.Password),
		}
	}
	for _, r := range cfg.Resellers {
		key := r.ID + "/" + r.UserID
		st.resellers[key] = hash(key, r.Password)
	}
	return st
}

// hash keeps passwords out of memory dumps and of the data folder.
func hash(owner, password string) string {
	sum := sha256.Sum256([]byte(owner + "\x00" + password))
	return hex.EncodeToString(sum[:])
}

// apply is the only function that changes the state.
func (st *store) apply(e *effect) {
	st.serial, st.reference = max(st.serial, e.Serial), max(st.reference, e.Reference)
	if e.Terminal != nil {
		st.putTerminal(*e.Terminal)
	}
	for _, inv := range e.Invoices {
		st.putInvoice(inv)
	}
	if e.Payment != nil {
		st.putPayment(*e.Payment)
	}
	if e.Reversal != nil {
		st.reversals = append(st.reversals, *e.Reversal)
	}
	if e.Refund != nil {
		st.refundAt[e.Refund.ErsReference] = len(st.refunds)
		st.refunds = append(st.refunds, *e.Refund)
	}
	if e.Receipt != nil {
		st.receipts = append(st.receipts, *e.Receipt)
	}
	if e.Booking != nil {
		st.bookings = append(st.bookings, *e.Booking)
	}
	if e.Period != nil {
		p := *e.Period
		st.periods[p.TransactionPeriodID] = &p
		st.marked = append(st.marked, &p)
		st.marks[scopeOf(p.Reseller, p.Terminal)] = &p
	}
	if e.Asked != "" {
		st.asked[e.Asked] = true
	}
	if gone := st.terminals[e.Unregistered]; gone != nil {
		delete(st.seqrIDs, gone.SeqrID)
		delete(st.terminals, gone.ID)
	}
}

func (st *store) putInvoice(next *invoice) {
	inv := st.invoices[next.InvoiceReference]
	if inv == nil {
		inv = &invoice{}
		st.invoices[next.InvoiceReference] = inv
		st.issued = append(st.issued, inv)
	}
	*inv = *next
	t := st.terminals[inv.Terminal]
	switch {
	case t == nil:
	case inv.Status.live() && (t.current == nil || t.current == inv || t.current.InvoiceReference < inv.InvoiceReference):
		t.current = inv
	case t.current == inv:
		t.current = nil
	}
}

func (st *store) putPayment(p Payment) {
	if old := st.payments[p.ErsReference]; old != nil {
		*old = p
		return
	}
	st.payments[p.ErsReference] = &p
	st.paid = append(st.paid, &p)
}

func (st *store) putTerminal(t terminal) {
	old := st.terminals[t.ID]
	if old != nil {
		delete(st.seqrIDs, old.SeqrID)
		t.current = old.current
		*old = t
	} else {
		old = &t
		st.terminals[t.ID] = old
	}
	if t.SeqrID != "" {
		if holder := st.seqrIDs[t.SeqrID]; holder != nil && holder != old {
			holder.SeqrID = "" // an earlier registration of the same cash register
		}
		st.seqrIDs[t.SeqrID] = old
	}
}

// scopeOf gives the key of a scope of periods; see Period.
func scopeOf(reseller, terminal string) string {
	if terminal != "" {
		return "terminal " + terminal
	}
	return "reseller " + reseller
}

// shop gives the name of a terminal's shop, as the buyer sees it.
func (st *store) shop(terminalID string) string {
	if t := st.terminals[terminalID]; t != nil && t.Name != "" {
		return t.Name
	}
	return terminalID
}
