package reconciler

import (
	"cmp"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// openRefund is a refund without an outcome.
type openRefund struct {
	doubt
	inDoubt bool
	first   int // orders refunds by when one of their invoice was first seen open
}

// openRefunds follows the refunds of a terminal through the events of INVOICES.
type openRefunds struct {
	terminal string // "" is any
	of       map[events.Key][]openRefund
	seen     int
}

// take puts the invoice's refunds as they are after the event in the place of those that were known.
func (o *openRefunds) take(r recorded, seq uint64) {
	d := r.Data
	inv := events.Invoice{Shop: d.Shop, InvoiceID: d.InvoiceID, Terminal: d.Terminal, Currency: d.Currency, Refunds: d.Refunds}
	inv.Change.At = d.Change.At
	o.keep(inv, seq)
}

func (o *openRefunds) keep(inv events.Invoice, seq uint64) {
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
			o.of[k] = append(o.of[k], openRefund{doubtOf(inv, r, seq, inv.Change.At), r.Status == events.RefundUnknown, first})
		}
	}
}

func doubtOf(inv events.Invoice, r events.Refund, seq uint64, at time.Time) doubt {
	return doubt{events.LedgerEntry{
		Shop: inv.Shop, InvoiceID: inv.InvoiceID, RefundID: r.RefundID, Currency: inv.Currency, Amount: r.Amount, Seq: seq,
	}, r.AskedAt, at}
}

// list gives the refunds in doubt and those under way, and the invoices of both, the oldest first.
func (o *openRefunds) list() (doubts []doubt, underWay []events.LedgerEntry, invoices []events.InvoiceRef) {
	var all [][]openRefund
	for _, refunds := range o.of {
		all = append(all, refunds)
	}
	slices.SortFunc(all, func(a, b []openRefund) int { return cmp.Compare(a[0].first, b[0].first) })
	for _, refunds := range all {
		invoices = append(invoices, events.InvoiceRef{Shop: refunds[0].Shop, InvoiceID: refunds[0].InvoiceID})
		for _, r := range refunds {
			if r.inDoubt {
				doubts = append(doubts, r.doubt)
			} else {
				underWay = append(underWay, r.LedgerEntry)
			}
		}
	}
	return doubts, underWay, invoices
}
