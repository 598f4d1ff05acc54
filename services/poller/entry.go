package poller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// disposition is what is to be done with an entry, by what the stream says of its invoice.
type disposition int

const (
	toPoll    disposition = iota
	toPrepare             // nothing is recorded yet
	toFinish              // it has ended
	toForget              // nothing is recorded, and nothing will be
	toLeave               // another copy may be able to poll it
	toNewer               // only a newer version may
	toPark
	toRetry // the broker fails
)

// load reads the invoice's state and prepares the watch to be polled.
func (ls *leases) load(w *watch, age time.Duration) (disposition, error) {
	if !ls.p.serves(w.key.Shop) {
		return toLeave, nil
	}
	inv, err := ls.p.Bus.Load(ls.ctx, w.key)
	w.loaded = inv
	w.loaded.Order = nil // it may be large
	if d, err := judge(inv, err, age); d != toPoll {
		return d, err
	}
	as, err := calls.As(ls.p.Shops, inv.Invoice)
	if err != nil {
		return toLeave, err
	}
	w.as, w.reference = as, inv.InvoiceReference
	w.ctx = seqr.WithAbout(ls.p.inHand, w.key.String())
	w.dueAt, w.overdue = time.Time{}, inv.OverdueAt != nil || !inv.State.Open()
	if inv.DueAt != nil {
		w.dueAt = *inv.DueAt
	}
	return toPoll, nil
}

// judge says what to do with an entry.
func judge(inv bus.Loaded, err error, age time.Duration) (disposition, error) {
	switch {
	case errors.Is(err, events.ErrNewerVersion):
		return toNewer, err
	case err != nil:
		return toRetry, err
	case !inv.Known() && age > bus.ForgottenAfter && inv.Seq > 0: // its own events may be lost
		return toPark, errors.New("every message under the invoice's subjects was written by nobody of ours: if the provider has a bill, nobody polls it")
	case !inv.Known() && age > bus.ForgottenAfter:
		return toForget, nil
	case !inv.Known():
		return toPrepare, nil
	case inv.State.Paid() || inv.State == events.Rejected || !inv.State.Open() && inv.InvoiceReference == "":
		return toFinish, nil
	case inv.InvoiceReference == "":
		return toPark, fmt.Errorf("event %q of the invoice: %w", inv.Change.Event, events.Problem{Path: "data.invoiceReference", Expected: "missing"})
	}
	return toPoll, nil
}

// keyOf names the invoice of an entry, or of an event that a person has sent back.
func keyOf(subject string) (events.Key, error) {
	if k, err := events.ParseOpenSubject(subject); err == nil {
		return k, nil
	}
	a, err := events.ParseSubject(subject)
	return a.Key(), err
}

// lookBack puts an invoice on the index again that was recorded while its entry was being removed. The invoicer looks
// whether the entry is there after it has recorded the invoice, so one of the two sees the other; of an entry that is about to
// be removed it looks once more later, since this process may die before it has looked back.
func (ls *leases) lookBack(k events.Key) {
	ctx := context.WithoutCancel(ls.ctx)
	for {
		inv, err := ls.p.Bus.Load(ctx, k)
		if err == nil && (!inv.State.Open() || inv.InvoiceReference == "") {
			return
		}
		if _, _, err = ls.p.Bus.IndexOpen(ctx, k, 0); err == nil {
			return
		}
		if ls.p.sometimes.OK("look back") {
			ls.p.Log.Error().Err(err).Str("worker", Name).Str("invoice", k.String()).Msg("invoices that may be open are not on the index yet")
		}
		select {
		case <-ls.ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}
