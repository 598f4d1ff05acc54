package reconciler

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// recorded is what the ledger needs of an event of INVOICES: reading less makes a long scan short.
type recorded struct {
	Data struct {
		Shop         string          `json:"shop"`
		InvoiceID    string          `json:"invoiceId"`
		Terminal     string          `json:"terminal"`
		Currency     string          `json:"currency"`
		Total        events.Amount   `json:"total"`
		ErsReference string          `json:"ersReference"`
		Refunds      []events.Refund `json:"refunds"`
		Change       struct {
			Event    events.Name `json:"event"`
			At       time.Time   `json:"at"`
			RefundID string      `json:"refundId"`
		} `json:"change"`
	} `json:"data"`
}

// invoice is what is needed of the invoice after the event.
func (r recorded) invoice() events.Invoice {
	d := r.Data
	inv := events.Invoice{Shop: d.Shop, InvoiceID: d.InvoiceID, Terminal: d.Terminal, Currency: d.Currency, Refunds: d.Refunds}
	inv.Change.At = d.Change.At
	return inv
}

// errUnreadable is an event of INVOICES that cannot be read. It stays so, whatever is waited for.
type errUnreadable struct {
	seq uint64
	why string
}

func (e errUnreadable) Error() string {
	return fmt.Sprintf("message %d of %s: %s", e.seq, events.InvoicesStream, e.why)
}

// ledgerRead is what a comparison needs of INVOICES, as it was at one moment.
type ledgerRead struct {
	ledger   []events.LedgerEntry // payments and refunds since the previous period's ledgerBefore
	doubts   []openRefund         // refunds whose outcome is not known
	underWay []events.LedgerEntry // refunds without an outcome that are not in doubt; empty unless there are doubts
	open     []events.InvoiceRef  // every invoice with a refund of either kind
}

// readLedger reads what was recorded since the terminal's previous period, and the few invoices whose refunds that
// period left open: what it costs depends on the period, not on all that was before.
func (w *Worker) readLedger(ctx context.Context, p events.Period) (ledgerRead, error) {
	left, after, err := w.leftOpen(ctx, p)
	if err != nil {
		return ledgerRead{}, err
	}
	open := openRefunds{terminal: p.Terminal, of: map[events.Key][]openRefund{}}
	for _, ref := range left {
		inv, err := w.Bus.Load(ctx, ref.Key())
		if err != nil {
			return ledgerRead{}, err
		}
		open.update(inv.Invoice, inv.Seq)
	}
	var out ledgerRead
	var unread error // the first refund event that cannot be read: it may be of a refund in doubt
	_, err = w.Bus.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, From: after + 1, Filters: filtersOf(func(e events.Name) bool {
		return e == events.EventPaid || e.AboutRefund()
	})}, func(m bus.Entry) error {
		var r recorded
		err := json.Unmarshal(m.Body, &r)
		if err == nil && r.Data.Change.Event != events.EventPaid {
			open.update(r.invoice(), m.Seq)
		}
		if !inLedger(m.Subject) || m.Seq <= p.LedgerAfter {
			if err != nil && unread == nil {
				unread = errUnreadable{m.Seq, err.Error()}
			}
			return nil
		}
		if err != nil {
			return errUnreadable{m.Seq, err.Error()}
		}
		e, of, err := entryOf(r, m.Seq)
		if err == nil && of == p.Terminal {
			out.ledger = append(out.ledger, e)
		}
		return err
	})
	if err != nil {
		return ledgerRead{}, err
	}
	out.doubts, out.underWay, out.open = open.list()
	if len(out.doubts) == 0 {
		out.underWay, unread = nil, nil // they only matter to rows that may prove a refund in doubt
	}
	return out, unread
}

// filtersOf gives the filters of the events that are wanted.
func filtersOf(wanted func(events.Name) bool) []string {
	var out []string
	for _, e := range events.Names() {
		if wanted(e) {
			out = append(out, "invoices.*.*."+string(e))
		}
	}
	return out
}

// inLedger says whether an event is a payment or a refund that was done.
func inLedger(subject string) bool {
	a, err := events.ParseSubject(subject)
	return err == nil && (a.Event == string(events.EventPaid) || a.Event == string(events.EventRefunded))
}

// leftOpen gives the invoices whose refunds were open when an earlier period of the terminal was compared, and the sequence
// after which all else is recorded: of the last period that was compared and lists them all, else everything from the beginning.
func (w *Worker) leftOpen(ctx context.Context, p events.Period) (left []events.InvoiceRef, after uint64, err error) {
	for ref := p.Previous; ref != nil; {
		l, err := w.Bus.LoadPeriod(ctx, ref.Key())
		if err != nil {
			return nil, 0, err
		}
		if l.State.Ended() && l.OpenRefunds != nil && l.OpenRefunds.Omitted == 0 {
			return l.OpenRefunds.Invoices, l.LedgerBefore, nil
		}
		ref = l.Previous
	}
	return nil, 0, nil
}

// entryOf gives the entry that a paid or refunded event records, and the terminal that it is of.
func entryOf(r recorded, seq uint64) (e events.LedgerEntry, terminal string, err error) {
	inv := r.Data
	e = events.LedgerEntry{
		ErsReference: inv.ErsReference, Shop: inv.Shop, InvoiceID: inv.InvoiceID, Currency: inv.Currency, Amount: inv.Total, Seq: seq,
	}
	if inv.Change.Event != events.EventRefunded {
		return e, inv.Terminal, nil
	}
	for _, refund := range inv.Refunds {
		if refund.RefundID == inv.Change.RefundID {
			e.RefundID, e.ErsReference, e.Amount = refund.RefundID, refund.ErsReference, refund.Amount
			return e, inv.Terminal, nil
		}
	}
	return e, "", errUnreadable{seq, fmt.Sprintf("the refund %q that it is about is not in it", inv.Change.RefundID)}
}

// openRefund is a refund without an outcome: in doubt, or under way.
type openRefund struct {
	events.LedgerEntry
	AskedAt time.Time // when the intent was recorded
	At      time.Time // of the invoice's last event; a refund in doubt has not come into doubt later
	inDoubt bool
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
}

// update puts the invoice's refunds, as they are after its event at seq, in the place of those that were known.
func (o *openRefunds) update(inv events.Invoice, seq uint64) {
	k := inv.Key()
	delete(o.of, k)
	if o.terminal != "" && inv.Terminal != o.terminal {
		return
	}
	for _, r := range inv.Refunds {
		if r.Open() {
			o.of[k] = append(o.of[k], openRefund{events.LedgerEntry{
				Shop: inv.Shop, InvoiceID: inv.InvoiceID, RefundID: r.RefundID, Currency: inv.Currency, Amount: r.Amount, Seq: seq,
			}, r.AskedAt, inv.Change.At, r.Status == events.RefundUnknown})
		}
	}
}

// list gives the refunds in doubt and those under way, and the invoices of both, the oldest first.
func (o *openRefunds) list() (doubts []openRefund, underWay []events.LedgerEntry, invoices []events.InvoiceRef) {
	all := slices.SortedFunc(maps.Values(o.of), func(a, b []openRefund) int {
		return cmp.Or(a[0].AskedAt.Compare(b[0].AskedAt), cmp.Compare(a[0].Seq, b[0].Seq))
	})
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
