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

// keyOf names the invoice of an entry, or of an event that a person has sent back.
func keyOf(subject string) (events.Key, error) {
	if k, err := events.ParseOpenSubject(subject); err == nil {
		return k, nil
	}
	a, err := events.ParseSubject(subject)
	return a.Key(), err
}

// acceptUnusual parks a message of the index whose subject names no invoice. An invoice that a person has sent back it
// puts on the index again: from there the invoice comes to some copy, and is counted.
func (p *Worker) acceptUnusual(l *bus.Lease, k events.Key, err error) {
	ctx := context.WithoutCancel(p.inHand)
	if err != nil {
		err = l.Park(ctx, 1, err)
	} else if _, _, err = p.Bus.IndexOpen(p.inHand, k, 0); err == nil {
		l.Done(ctx)
	}
	if err != nil {
		p.Log.Warn().Err(err).Str("worker", Name).Str("subject", l.Subject).Msg("a message of the index is neither parked nor indexed yet")
		l.GiveBack(leftToNewer)
	}
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

// loadedEntry is an entry with its invoice, and what is to be done with it.
type loadedEntry struct {
	action entryAction
	loaded bus.Loaded     // without the order, which may be large
	as     seqr.Principal // what the provider is asked with; set when the entry is to be polled
	err    error          // why
}

// loadEntry loads the invoice of an entry, and logs whatever keeps it from being polled.
func (p *Worker) loadEntry(ctx context.Context, k events.Key, l *bus.Lease) (e loadedEntry) {
	age := time.Duration(0) // nothing is removed or parked for its age while that is not known
	if p.Bus.ClockKnown() {
		age = p.Bus.Now().Sub(l.Time)
	}
	if !calls.Serves(p.Only, k.Shop) {
		e.action = leaveToOther
	} else {
		e.loaded, e.err = p.Bus.Load(ctx, k)
		e.loaded.Order = nil
		e.action, e.err = judgeEntry(e.loaded, e.err, age)
	}
	if e.action == pollEntry {
		if e.as, e.err = calls.As(p.Shops, e.loaded.Invoice); e.err != nil {
			e.action = leaveToOther
		}
	}
	log := p.Log.Warn().Err(e.err).Str("worker", Name).Str("shop", k.Shop).Str("invoice", k.Invoice)
	switch {
	case e.action == forgetEntry:
		log.Dur("age", age).Msg("an entry of the index is removed: nothing is recorded of its invoice")
	case e.action == leaveToOther:
		p.reportNotServed(k, e.err)
	case e.action == leaveToNewer && p.sometimes.OK("newer"):
		log.Msg("an invoice is left to a newer version of this program; nobody polls it unless one runs")
	case e.action == retryLoad && p.sometimes.OK("load"):
		log.Msg("invoices cannot be loaded")
	}
	return e
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
	case inv.State.Paid() || !inv.State.Open() && inv.InvoiceReference == "":
		return removeEntry, nil
	case inv.InvoiceReference == "":
		return parkEntry, fmt.Errorf("event %q of the invoice: %w", inv.Change.Event, events.Problem{Path: "data.invoiceReference", Expected: "missing"})
	}
	return pollEntry, nil
}

// indexAgain puts an invoice on the index that was recorded while its entry was being removed. The invoicer looks whether
// the entry is there after it has recorded the invoice, so one of the two sees the other; of an entry that is about to be
// removed it looks once more later, since this process may die before it has come here.
func (p *Worker) indexAgain(ctx context.Context, k events.Key) {
	for {
		inv, err := p.Bus.Load(context.WithoutCancel(ctx), k)
		if err == nil && (!inv.State.Open() || inv.InvoiceReference == "") {
			return
		}
		if _, _, err = p.Bus.IndexOpen(context.WithoutCancel(ctx), k, 0); err == nil {
			return
		}
		if p.sometimes.OK("index again") {
			p.Log.Error().Err(err).Str("worker", Name).Str("invoice", k.String()).Msg("invoices that may be open are not on the index yet")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
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
