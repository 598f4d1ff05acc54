package reconciler

import (
	"cmp"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// openRefund is a refund without an outcome: in doubt, or under way.
type openRefund struct {
	events.LedgerEntry
	AskedAt time.Time // when the intent was recorded
	At      time.Time // of the invoice's last event; a refund in doubt has not come into doubt later
	inDoubt bool
	first   int // orders refunds by when one of their invoice was first seen open
}

func ledgerEntries(refunds []openRefund) []events.LedgerEntry {
	var out []events.LedgerEntry
	for _, r := range refunds {
		out = append(out, r.LedgerEntry)
	}
	return out
}

// openRefunds follows the refunds of a terminal through the events of INVOICES.
type openRefunds struct {
	terminal string // "" is any
	of       map[events.Key][]openRefund
	seen     int
}

// update puts the invoice's refunds, as they are after its event at seq, in the place of those that were known.
func (o *openRefunds) update(inv events.Invoice, seq uint64) {
	k := inv.Key()
	first := o.seen
	if known := o.of[k]; len(known) > 0 {
		first = known[0].first
	} else {
		o.seen++
	}
	delete(o.of, k)
	if o.terminal != "" && inv.Terminal != o.terminal {
		return
	}
	for _, r := range inv.Refunds {
		if r.Open() {
			o.of[k] = append(o.of[k], openRefund{events.LedgerEntry{
				Shop: inv.Shop, InvoiceID: inv.InvoiceID, RefundID: r.RefundID, Currency: inv.Currency, Amount: r.Amount, Seq: seq,
			}, r.AskedAt, inv.Change.At, r.Status == events.RefundUnknown, first})
		}
	}
}

// list gives the refunds in doubt and those under way, and the invoices of both, the oldest first.
func (o *openRefunds) list() (doubts []openRefund, underWay []events.LedgerEntry, invoices []events.InvoiceRef) {
	var all [][]openRefund
	for _, refunds := range o.of {
		all = append(all, refunds)
	}
	slices.SortFunc(all, func(a, b []openRefund) int { return cmp.Compare(a[0].first, b[0].first) })
	for _, refunds := range all {
		invoices = append(invoices, events.InvoiceRef{Shop: refunds[0].Shop, InvoiceID: refunds[0].InvoiceID})
		for _, r := range refunds {
			if r.inDoubt {
				doubts = append(doubts, r)
			} else {
				underWay = append(underWay, r.LedgerEntry)
			}
		}
	}
	return doubts, underWay, invoices
}
