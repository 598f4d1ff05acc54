package poller

import (
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// keyOf names the invoice of an entry, or of an event that a person has sent back.
func keyOf(subject string) (events.Key, error) {
	if k, err := events.ParseOpenSubject(subject); err == nil {
		return k, nil
	}
	a, err := events.ParseSubject(subject)
	return a.Key(), err
}

// entryAction is what is to be done with an entry, by what the stream says of its invoice.
type entryAction int

const (
	pollEntry    entryAction = iota
	awaitInvoice             // nothing is recorded yet
	removeEntry              // the invoice has ended
	forgetEntry              // nothing is recorded, and nothing will be
	leaveToOther             // another copy may be able to poll it
	leaveToNewer             // only a newer version may
	parkEntry
	retryLoad // the broker fails
)

// loadInvoice reads the invoice's state and prepares it to be polled.
func (ls *leases) loadInvoice(w *watch, age time.Duration) (entryAction, error) {
	if !ls.p.serves(w.key.Shop) {
		return leaveToOther, nil
	}
	inv, err := ls.p.Bus.Load(ls.ctx, w.key)
	w.loaded = inv
	w.loaded.Order = nil // it may be large
	if act, err := judgeEntry(inv, err, age); act != pollEntry {
		return act, err
	}
	as, err := calls.As(ls.p.Shops, inv.Invoice)
	if err != nil {
		return leaveToOther, err
	}
	w.as, w.reference = as, inv.InvoiceReference
	w.ctx = seqr.WithAbout(ls.p.inHand, w.key.String())
	w.dueAt, w.overdue = time.Time{}, inv.OverdueAt != nil || !inv.State.Open()
	if inv.DueAt != nil {
		w.dueAt = *inv.DueAt
	}
	return pollEntry, nil
}

// judgeEntry says what to do with an entry of that age, by what was loaded of its invoice.
func judgeEntry(inv bus.Loaded, err error, age time.Duration) (entryAction, error) {
	switch {
	case errors.Is(err, events.ErrNewerVersion):
		return leaveToNewer, err
	case err != nil:
		return retryLoad, err
	case !inv.Known() && age > bus.ForgottenAfter && inv.Seq > 0: // its own events may be lost
		return parkEntry, errors.New("every message under the invoice's subjects was written by nobody of ours: if the provider has a bill, nobody polls it")
	case !inv.Known() && age > bus.ForgottenAfter:
		return forgetEntry, nil
	case !inv.Known():
		return awaitInvoice, nil
	case inv.State.WasPaid() || inv.State == events.Rejected || !inv.State.Open() && inv.InvoiceReference == "":
		return removeEntry, nil
	case inv.InvoiceReference == "":
		return parkEntry, fmt.Errorf("event %q of the invoice: %w", inv.Change.Event, events.Problem{Path: "data.invoiceReference", Expected: "missing"})
	}
	return pollEntry, nil
}

// longestSilence is how long no copy may have asked about the invoice of an entry that has come to this copy now, at most.
func (p *Worker) longestSilence(entry *bus.Lease, age time.Duration) time.Duration {
	held := time.Since(p.started) > settledAfter
	for _, other := range p.roll.Living(time.Now()) {
		held = held || other.Up > settledAfter.Seconds()
	}
	if entry.Redelivered && held {
		return min(age, p.Bus.AckWait())
	}
	return age
}

// reportNotServed tells of an entry that this copy cannot poll.
func (p *Worker) reportNotServed(k events.Key, err error) {
	p.metrics.notServed.WithLabelValues(k.Shop).Inc()
	if !p.sometimes.OK("shop " + k.Shop) {
		return
	}
	if err == nil {
		p.Log.Debug().Str("worker", Name).Str("shop", k.Shop).Msg("open invoices of a shop that this copy is not set to serve are left to another")
		return
	}
	p.Log.Warn().Err(err).Str("worker", Name).Str("shop", k.Shop).Str("invoice", k.Invoice).
		Msg("open invoices are left to another copy: without one that has the credentials nobody polls them")
}
