package reconciler

import (
	"context"
	"encoding/json"
	"fmt"
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

// doubts are the terminal's refunds of which nobody knows whether they happened, the oldest first, and beside them
// those that are under way.
func (w *Worker) doubts(ctx context.Context, terminal string) (out []doubt, underWay []events.LedgerEntry, err error) {
	keys, err := w.unsettled(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range keys {
		inv, err := w.Bus.Load(ctx, k)
		if err != nil {
			return nil, nil, err
		}
		if inv.Terminal != terminal {
			continue
		}
		for _, refund := range inv.Refunds {
			e := events.LedgerEntry{
				Shop: inv.Shop, InvoiceID: inv.InvoiceID, RefundID: refund.RefundID, Currency: inv.Currency,
				Amount: refund.Amount, Seq: inv.Seq,
			}
			switch refund.Status {
			case events.RefundUnknown:
				out = append(out, doubt{e, refund.AskedAt, inv.Change.At})
			case events.RefundSending, events.RefundWaiting:
				underWay = append(underWay, e)
			}
		}
	}
	return out, underWay, nil
}

// unsettled are the invoices that may have a refund without an outcome, the oldest first: one was in doubt once, or
// the last that was recorded of any is the intent.
func (w *Worker) unsettled(ctx context.Context) ([]events.Key, error) {
	var keys []events.Key
	listed, last := map[events.Key]bool{}, map[events.Key]events.Name{}
	var filters []string
	for _, e := range []events.Name{events.EventRefunding, events.EventRefundUnknown, events.EventRefunded, events.EventRefundFailed} {
		filters = append(filters, "invoices.*.*."+string(e))
	}
	_, err := w.Bus.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, Filters: filters, HeadersOnly: true}, func(m bus.Scanned) error {
		a, err := events.ParseSubject(m.Subject)
		if err != nil {
			return err
		}
		k, e := a.Key(), events.Name(a.Event)
		if last[k] != events.EventRefundUnknown {
			last[k] = e
		}
		if !listed[k] && (e == events.EventRefunding || e == events.EventRefundUnknown) {
			listed[k] = true
			keys = append(keys, k)
		}
		return nil
	})
	return slices.DeleteFunc(keys, func(k events.Key) bool {
		return last[k] != events.EventRefunding && last[k] != events.EventRefundUnknown
	}), err
}
