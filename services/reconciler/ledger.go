package reconciler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

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
			RefundID string      `json:"refundId"`
		} `json:"change"`
	} `json:"data"`
}

// errUnreadable is an event of INVOICES that cannot be summed: waiting does not mend it.
type errUnreadable struct {
	seq uint64
	why string
}

func (e errUnreadable) Error() string {
	return fmt.Sprintf("message %d of %s: %s", e.seq, events.InvoicesStream, e.why)
}

// ledger is what we have recorded of the terminal after a sequence, up to now.
func (w *Worker) ledger(ctx context.Context, terminal string, after uint64) ([]events.LedgerEntry, error) {
	var entries []events.LedgerEntry
	_, err := w.Bus.Scan(ctx, bus.Scan{
		Stream: events.InvoicesStream, From: after + 1,
		Filters: []string{"invoices.*.*." + string(events.EventPaid), "invoices.*.*." + string(events.EventRefunded)},
	}, func(m bus.Scanned) error {
		e, of, err := entryOf(m)
		if err == nil && of == terminal {
			entries = append(entries, e)
		}
		return err
	})
	return entries, err
}

// entryOf reads one paid or refunded event; terminal says whose it is.
func entryOf(m bus.Scanned) (e events.LedgerEntry, terminal string, err error) {
	var r recorded
	if err := json.Unmarshal(m.Body, &r); err != nil {
		return e, "", errUnreadable{m.Seq, err.Error()}
	}
	inv := r.Data
	e = events.LedgerEntry{
		ErsReference: inv.ErsReference, Shop: inv.Shop, InvoiceID: inv.InvoiceID, Currency: inv.Currency, Amount: inv.Total, Seq: m.Seq,
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
	return e, "", errUnreadable{m.Seq, fmt.Sprintf("the refund %q that it is about is not in it", inv.Change.RefundID)}
}

// doubts are the terminal's refunds of which nobody knows whether they happened, the oldest first.
func (w *Worker) doubts(ctx context.Context, terminal string) ([]doubt, error) {
	var keys []events.Key
	seen := map[events.Key]bool{}
	_, err := w.Bus.Scan(ctx, bus.Scan{
		Stream: events.InvoicesStream, Filters: []string{"invoices.*.*." + string(events.EventRefundUnknown)}, HeadersOnly: true,
	}, func(m bus.Scanned) error {
		a, err := events.ParseSubject(m.Subject)
		if err == nil && !seen[a.Key()] {
			seen[a.Key()] = true
			keys = append(keys, a.Key())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []doubt
	for _, k := range keys {
		inv, err := w.Bus.Load(ctx, k)
		if err != nil {
			return nil, err
		}
		if inv.Terminal != terminal {
			continue
		}
		for _, refund := range inv.Refunds {
			if refund.Status == events.RefundUnknown {
				out = append(out, doubt{events.LedgerEntry{
					Shop: inv.Shop, InvoiceID: inv.InvoiceID, RefundID: refund.RefundID, Currency: inv.Currency,
					Amount: refund.Amount, Seq: inv.Seq,
				}, refund.AskedAt, inv.Change.At})
			}
		}
	}
	return out, nil
}

// underWay are the terminal's refunds without an outcome that are not among the doubts. It reads every refund there ever
// was: of several of one invoice the last event tells nothing of the others.
func (w *Worker) underWay(ctx context.Context, terminal string, doubts []doubt) ([]events.LedgerEntry, error) {
	if len(doubts) == 0 {
		return nil, nil // there is nothing to take their rows for
	}
	open := map[events.Key][]events.LedgerEntry{}
	_, err := w.Bus.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, Filters: []string{
		"invoices.*.*." + string(events.EventRefunding), "invoices.*.*." + string(events.EventRefundUnknown),
		"invoices.*.*." + string(events.EventRefunded), "invoices.*.*." + string(events.EventRefundFailed),
	}}, func(m bus.Scanned) error {
		var r recorded
		if err := json.Unmarshal(m.Body, &r); err != nil {
			return errUnreadable{m.Seq, err.Error()}
		}
		inv := r.Data
		k := events.KeyOf(inv.Shop, inv.InvoiceID)
		delete(open, k)
		for _, refund := range inv.Refunds {
			e := events.LedgerEntry{
				Shop: inv.Shop, InvoiceID: inv.InvoiceID, RefundID: refund.RefundID, Currency: inv.Currency, Amount: refund.Amount, Seq: m.Seq,
			}
			if inv.Terminal == terminal && refund.Open() && !slices.ContainsFunc(doubts, func(d doubt) bool { return sameEntry(d.LedgerEntry, e) }) {
				open[k] = append(open[k], e)
			}
		}
		return nil
	})
	return slices.Concat(slices.Collect(maps.Values(open))...), err
}
