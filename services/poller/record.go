package poller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// execute does what an action says, with as many others at once as there is room for. When that fails, the next poll gets
// the same answer and tries again; it is logged once a minute, whatever number of payments wait for a broker that takes
// them. gone says that this copy does not hold the invoice any more, done that nothing failed.
func (p *Worker) execute(w *watch, l *bus.Lease, a action) (gone, done bool) {
	wait, cancel := context.WithTimeout(w.ctx, recordTimeout)
	defer cancel()
	select {
	case p.records <- struct{}{}:
		defer func() { <-p.records }()
	case <-wait.Done():
		return false, false
	}
	gone, err := p.executeNow(w, l, a)
	if err != nil && p.sometimes.OK("record") {
		p.Log.Error().Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).
			Msg("an answer is not recorded, and others may not be either; the next poll tries again")
	}
	return gone, err == nil
}

func (p *Worker) executeNow(w *watch, l *bus.Lease, a action) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(w.ctx, recordTimeout)
	defer cancel()
	if a.record != nil {
		switch err := p.appendEvent(ctx, w, a); {
		case errors.Is(err, events.ErrNewerVersion):
			l.GiveBack(leftToNewer)
			return true, err
		case a.ends && (errors.Is(err, errLost) || errors.Is(err, bus.ErrTooLarge)):
			a.park = err
		case err != nil:
			return false, err
		}
	}
	switch {
	case a.park != nil && l.Lost():
		return false, nil // the copy that has the entry decides
	case a.park != nil:
		err := p.parkInvoice(ctx, w, l, a)
		return err == nil, err
	case a.ends:
		l.Done(context.WithoutCancel(ctx))
		return true, nil
	case a.commit:
		call, cancel := context.WithTimeout(w.ctx, callTimeout)
		defer cancel()
		return false, p.Provider.CommitReservation(call, seqr.CommitReservation{As: w.as, InvoiceReference: w.reference})
	}
	return false, nil
}

// errLost says that the stream does not have what an event must follow.
var errLost = errors.New("cannot be recorded")

// appendEvent records the action's event. Where the table does not allow it, the invoice has moved on, which is well, but
// only if the stream says so: by an end that is recorded, and of a payment by that payment.
func (p *Worker) appendEvent(ctx context.Context, w *watch, a action) error {
	_, err := p.Bus.Update(ctx, Name, w.key, func(inv events.Invoice) (events.Invoice, error) {
		if inv.State == "" {
			return inv, fmt.Errorf("%w: the stream has no event of this invoice", errLost)
		}
		after, err := a.record(inv)
		switch {
		case !errors.Is(err, events.ErrNotAllowed):
			return after, err
		case a.payment != nil && !(inv.State.Paid() && inv.InvoiceReference == w.reference), a.ends && inv.State.Open():
			return inv, fmt.Errorf("%w: the stream says %s of %s: %w", errLost, inv.State, inv.InvoiceReference, err)
		}
		return inv, bus.ErrNothing
	})
	if err == nil && a.gap > 0 {
		p.metrics.reversed.Inc()
	}
	return err
}

// parkedInvoice is what is told of an invoice that is given up.
type parkedInvoice struct {
	Shop             string `json:"shop"`
	InvoiceID        string `json:"invoiceId"`
	Terminal         string `json:"terminal,omitempty"`
	InvoiceReference string `json:"invoiceReference,omitempty"`
	ErsReference     string `json:"ersReference,omitempty"`
	Amount           string `json:"amount,omitempty"`
	Currency         string `json:"currency,omitempty"`
	Paid             bool   `json:"paid,omitempty"`
}

// parkInvoice parks an invoice with all that is known of it, which may be all that is left of it, and removes it from the index.
func (p *Worker) parkInvoice(ctx context.Context, w *watch, l *bus.Lease, a action) error {
	known := parkedInvoice{Shop: cmp.Or(w.loaded.Shop, w.key.Shop), InvoiceID: cmp.Or(w.loaded.InvoiceID, w.key.Invoice),
		Terminal: w.loaded.Terminal, InvoiceReference: w.reference, Currency: w.loaded.Currency, Paid: a.payment != nil}
	if w.loaded.Known() {
		known.Amount = w.loaded.Total.String()
	}
	if a.payment != nil {
		known.ErsReference = a.payment.ErsReference
	}
	body, err := json.Marshal(known)
	if err != nil {
		return err
	}
	reason := fmt.Errorf("%w; known: %s", a.park, body)
	if a.payment != nil {
		reason = fmt.Errorf("the buyer has PAID, and the payment %w", reason)
	}
	if w.loaded.Seq > 0 { // the entry itself is removed: a person sends back the invoice's last event
		l.Stream, l.Subject, l.Seq = events.InvoicesStream, w.key.Subject(cmp.Or(w.loaded.Change.Event, "unknown")), w.loaded.Seq
	}
	l.Body = body
	if err := l.Park(ctx, 1, reason); err != nil {
		return err
	}
	if a.payment != nil {
		p.metrics.unrecorded.Inc()
	}
	p.Log.Error().Err(reason).Str("worker", Name).Str("shop", known.Shop).Str("invoice", known.InvoiceID).Msg("given up and parked: a person has to look")
	return nil
}
