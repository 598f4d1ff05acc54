package poller

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

func (a action) nothing() bool { return a.record == nil && !a.ends && a.park == nil }

// answer is the end of one poll.
type answer struct {
	action
	result result
	status bool // the provider said how the invoice stands
	said   string
}

// ask asks once.
func (p *Worker) ask(w *watch) answer {
	ctx, cancel := context.WithTimeout(w.ctx, callTimeout)
	defer cancel()
	begun := time.Now()
	st, err := p.Provider.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: w.as, InvoiceReference: w.reference, Version: w.version})
	call := calls.Of("getPaymentStatus", begun, err)
	fact := events.Fact{At: p.Bus.Now(), Call: call}
	a := answer{result: resultAnswered}
	switch {
	case err == nil:
		w.version = st.Version
		p.metrics.polls.WithLabelValues(label(st.Status)).Inc()
		fact.Why = "the provider says " + string(st.Status)
		a.said = fact.Why
	case w.ctx.Err() != nil:
		return answer{result: resultNothing}
	case seqr.IsUnanswered(err):
		a.result = resultUnanswered
	}
	if err != nil {
		p.metrics.polls.WithLabelValues("error").Inc()
		p.reportFailure(w, err)
		fact.Why = "the provider says " + call.Description
		a.said = err.Error()
	}
	a.action, a.status = p.follow(w, st, err, fact)
	return a
}

// follow gives what an answer asks for, and whether it says how the invoice stands.
func (p *Worker) follow(w *watch, st seqr.PaymentStatus, err error, fact events.Fact) (action, bool) {
	if err != nil {
		return p.followError(w, err, fact)
	}
	w.unknown = 0
	switch st.Status {
	case seqr.StatusPaid:
		return paid(w, st, fact), true
	case seqr.StatusCanceled:
		return p.canceled(w, fact), true
	case seqr.StatusFailed:
		return action{record: ended(events.EventFailed, fact), ends: true}, true
	case seqr.StatusExpired:
		return action{record: ended(events.EventExpired, fact), ends: true}, true
	case seqr.StatusReserved:
		return action{record: func(inv events.Invoice) (events.Invoice, error) { return inv.MovedBy(events.EventReserved, Name, fact) }, commit: true}, true
	}
	return action{}, true
}

// followError is follow for a result code. Only two of them are an end, and only a lasting denial is given up; after any
// other the next poll may be answered.
func (p *Worker) followError(w *watch, err error, fact events.Fact) (action, bool) {
	if !seqr.IsUnknownInvoice(err) {
		w.unknown = 0
	}
	switch {
	case seqr.IsAlreadyCanceled(err):
		return p.canceled(w, fact), true
	case seqr.IsExpired(err):
		return action{record: ended(events.EventExpired, fact), ends: true}, true
	case seqr.IsUnknownInvoice(err):
		if w.unknown++; w.unknown >= maxUnknown {
			return action{park: fmt.Errorf("the provider has denied invoice %s of terminal %s %d times in a row: %w", w.reference, w.as.ID, w.unknown, err)}, false
		}
	}
	return action{}, false
}

// paid records the payment. Without its ersReference it could be neither receipted nor refunded, so an answer that lacks
// it is asked for again; the provider does not reverse what has been fetched.
func paid(w *watch, st seqr.PaymentStatus, fact events.Fact) action {
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

func ended(e events.Name, fact events.Fact) bus.Decide {
	return func(inv events.Invoice) (events.Invoice, error) { return inv.EndedBy(e, Name, fact) }
}

// canceled after the buyer's time was over is how an invoice expires: the canceler has asked for it, and the poller may
// hear of it first.
func (p *Worker) canceled(w *watch, fact events.Fact) action {
	fact = p.told(w, fact)
	return action{ends: true, gap: fact.Gap, record: func(inv events.Invoice) (events.Invoice, error) {
		if inv.OverdueAt == nil {
			return inv.EndedBy(events.EventCanceled, Name, fact)
		}
		late := fact
		late.Why += ", after the buyer's time was over"
		return inv.EndedBy(events.EventExpired, Name, late)
	}}
}

// execute does what follows from an answer. When that fails, the next poll gets the same answer and tries again. gone
// says that this copy holds the invoice no more.
func (p *Worker) execute(ctx context.Context, w *watch, l *bus.Lease, a action) (gone bool, err error) {
	record, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	if a.record != nil {
		switch err := p.append(record, w, a); {
		case errors.Is(err, events.ErrNewerVersion):
			p.leases.giveBack(l, leftToNewer)
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
		err := p.giveUp(record, w, l, a)
		return err == nil, err
	case a.ends:
		p.leases.done(context.WithoutCancel(ctx), l)
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

// append records the action's event. Where the table does not allow it, the invoice has moved on, which is well, but only
// if the stream says so: by an end that is recorded, and of a payment by that payment.
func (p *Worker) append(ctx context.Context, w *watch, a action) error {
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

// overdue is what follows when the buyer's time is over, whatever the provider answers. The canceler acts on it; polling
// goes on until the provider says how it ended.
func overdue(dueAt, now time.Time) action {
	fact := events.Fact{At: now, Why: fmt.Sprintf("not paid by %s", dueAt.UTC().Format(time.RFC3339))}
	return action{record: func(inv events.Invoice) (events.Invoice, error) { return inv.Overdue(fact) }}
}

func label(s seqr.InvoiceStatus) string {
	if slices.Contains(statuses(), s) {
		return string(s)
	}
	return "other"
}

func statuses() []seqr.InvoiceStatus {
	return []seqr.InvoiceStatus{seqr.StatusIssued, seqr.StatusPaid, seqr.StatusPendingIssuerAcknowledge, seqr.StatusCanceled,
		seqr.StatusFailed, seqr.StatusReserved, seqr.StatusExpired, seqr.StatusPartiallyPaid}
}
