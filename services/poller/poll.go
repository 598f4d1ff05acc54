package poller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// action is what follows from an answer, or from the clock. The zero action is to go on polling.
type action struct {
	record  bus.Decide          // the event that is recorded first
	payment *seqr.PaymentStatus // what record is about, if that is a payment
	commit  bool                // commitReservation comes next
	ends    bool                // nothing more will happen to the invoice: its entry is removed
	park    error               // it is given up for this reason
	gap     time.Duration       // in which a payment may have been reversed; 0 is none
}

func (a action) isNothing() bool { return a.record == nil && !a.ends && a.park == nil }

// answer is the end of one call.
type answer struct {
	action
	result result
	status bool // the provider said how the invoice stands
	said   string
}

// askStatus asks the provider once how an invoice stands.
func (p *Worker) askStatus(w *watch) answer {
	ctx, cancel := context.WithTimeout(w.ctx, callTimeout)
	defer cancel()
	begun := time.Now()
	st, err := p.Provider.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: w.as, InvoiceReference: w.reference, Version: w.version})
	call := calls.Of("getPaymentStatus", begun, err)
	fact := events.Fact{At: p.Bus.Now(), Call: call}
	if err != nil {
		if w.ctx.Err() != nil {
			return answer{result: resultNothing}
		}
		p.metrics.polls.WithLabelValues("error").Inc()
		p.reportFailure(w, err)
		fact.Why = "the provider says " + call.Description
		a := answer{result: resultAnswered, said: err.Error()}
		switch {
		case seqr.IsBusy(err):
			a.result = resultBusy
		case seqr.IsUnanswered(err):
			a.result = resultUnanswered
		}
		a.action, a.status = p.decideOnError(w, err, fact)
		return a
	}
	w.version = st.Version
	p.metrics.polls.WithLabelValues(statusLabel(st.Status)).Inc()
	fact.Why = "the provider says " + string(st.Status)
	return answer{action: p.decide(w, st, fact), result: resultAnswered, status: true, said: fact.Why}
}

// decide gives what a status asks for.
func (p *Worker) decide(w *watch, st seqr.PaymentStatus, fact events.Fact) action {
	w.unknown = 0
	switch st.Status {
	case seqr.StatusPaid:
		return paidAction(w, st, fact)
	case seqr.StatusCanceled:
		return p.canceledAction(w, fact)
	case seqr.StatusFailed:
		return endAction(events.EventFailed, fact)
	case seqr.StatusExpired:
		return endAction(events.EventExpired, fact)
	case seqr.StatusReserved:
		return action{record: func(inv events.Invoice) (events.Invoice, error) { return inv.MovedBy(events.EventReserved, Name, fact) }, commit: true}
	}
	return action{}
}

// decideOnError gives what an answer without a status asks for, and whether it says how the invoice stands all the same. Two
// result codes are an end, and only a lasting denial is given up; after any other error the next poll may be answered.
func (p *Worker) decideOnError(w *watch, err error, fact events.Fact) (action, bool) {
	if !seqr.IsUnknownInvoice(err) {
		w.unknown = 0
	}
	switch {
	case seqr.IsAlreadyCanceled(err):
		return p.canceledAction(w, fact), true
	case seqr.IsExpired(err):
		return endAction(events.EventExpired, fact), true
	case seqr.IsUnknownInvoice(err):
		if w.unknown++; w.unknown >= maxUnknown {
			return action{park: fmt.Errorf("the provider has denied invoice %s of terminal %s %d times in a row: %w", w.reference, w.as.ID, w.unknown, err)}, false
		}
	}
	return action{}, false
}

// paidAction says that the buyer has paid. Without its ersReference it could be neither receipted nor refunded, so an answer that
// lacks it is asked for again; the provider does not reverse what has been fetched.
func paidAction(w *watch, st seqr.PaymentStatus, fact events.Fact) action {
	if st.ErsReference == "" {
		if w.nameless++; w.nameless <= maxNameless {
			return action{}
		}
		fact.Why += ", and does not name the payment"
	}
	return action{ends: true, payment: &st, record: func(inv events.Invoice) (events.Invoice, error) {
		if inv.InvoiceReference != w.reference && inv.State != "" {
			return inv, fmt.Errorf("the recorded invoice is %q, not %q: %w", inv.InvoiceReference, w.reference, events.ErrNotAllowed)
		}
		return inv.PaidWith(st.ErsReference, Name, fact)
	}}
}

func endAction(e events.Name, fact events.Fact) action {
	return action{ends: true, record: func(inv events.Invoice) (events.Invoice, error) { return inv.EndedBy(e, Name, fact) }}
}

// canceledAction says that the invoice was canceled, and for how long no answer about it was had before: a payment may
// have been made and reversed in that time. Canceled after the buyer's time was over is how an invoice expires: the canceler
// has asked for it, and the poller may hear of it first.
func (p *Worker) canceledAction(w *watch, fact events.Fact) action {
	if gap := time.Since(p.started) - w.answered + w.unheard; gap >= mayBeReversed {
		fact.Gap = gap
		fact.Why += fmt.Sprintf("; no answer about it was had for %s before, so a payment may have been made and reversed by the provider", gap.Round(time.Second))
	}
	return action{ends: true, gap: fact.Gap, record: func(inv events.Invoice) (events.Invoice, error) {
		if inv.OverdueAt == nil {
			return inv.EndedBy(events.EventCanceled, Name, fact)
		}
		late := fact
		late.Why += ", after the buyer's time was over"
		return inv.EndedBy(events.EventExpired, Name, late)
	}}
}

// overdueAction is what follows when the buyer's time is over, whatever the provider answers. The canceler acts on it;
// polling goes on until the provider says how the invoice ended.
func overdueAction(dueAt, now time.Time) action {
	fact := events.Fact{At: now, Why: fmt.Sprintf("not paid by %s", dueAt.UTC().Format(time.RFC3339))}
	return action{record: func(inv events.Invoice) (events.Invoice, error) { return inv.Overdue(fact) }}
}

// reportFailure tells of a poll without a status: of each terminal once a minute, of refused credentials as an error.
func (p *Worker) reportFailure(w *watch, err error) {
	log := p.Log.Debug()
	switch {
	case seqr.IsCredentialError(err):
		p.metrics.refused.WithLabelValues(w.as.ID).Inc()
		if p.sometimes.OK("credentials " + w.as.ID) {
			log = p.Log.Error().Bool("credentials", true)
		}
	case p.sometimes.OK("poll " + w.as.ID):
		log = p.Log.Warn()
	}
	log.Err(err).Str("worker", Name).Str("terminal", w.as.ID).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).Msg("poll")
}

// execute does what an action says, with as many others at once as there is room for. When that fails, the next poll gets
// the same answer and tries again; it is logged once a minute, whatever number of payments wait for a broker that takes
// them. gone says that this copy does not hold the invoice any more.
func (p *Worker) execute(w *watch, l *bus.Lease, a action) (gone bool, err error) {
	wait, cancel := context.WithTimeout(w.ctx, recordTimeout)
	defer cancel()
	select {
	case p.records <- struct{}{}:
		defer func() { <-p.records }()
	case <-wait.Done():
		return false, errors.New("others are recorded first")
	}
	gone, err = p.executeNow(w, l, a)
	if err != nil && p.sometimes.OK("record") {
		p.Log.Error().Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).
			Msg("an answer is not recorded, and others may not be either; the next poll tries again")
	}
	return gone, err
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
