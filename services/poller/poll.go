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

// maxUnknown is how often the provider may deny an invoice before it is parked: about three minutes. One
// denial may be a fault of the moment; an invoice that is paid and denied cannot be taken anyway.
const maxUnknown = 60

// step records what follows from an answer.
type step func(context.Context) error

// ask asks once. What is to be recorded is returned; nil when nothing is.
func (p *Worker) ask(w *watch) step {
	ctx, cancel := context.WithTimeout(w.ctx, callTimeout)
	defer cancel()
	asked, begun := time.Now(), p.Bus.Now()
	st, err := p.Provider.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: w.as, InvoiceReference: w.reference, Version: w.version})
	if err != nil {
		return p.failed(w, err)
	}
	w.failures, w.unknown, w.silent, w.version = 0, 0, false, st.Version
	answered := int64(asked.Sub(p.started))
	p.metrics.gap.Observe(time.Duration(answered - w.answered.Swap(answered)).Seconds())
	p.metrics.polls.WithLabelValues(label(st.Status)).Inc()
	return p.follow(w, st, events.Fact{At: p.Bus.Now(), Why: "the provider says " + string(st.Status), Call: calls.Of("getPaymentStatus", begun, nil)})
}

// record takes the step, with as many others at once as there is room for. When that fails, the next poll
// gets the same answer and tries again.
func (p *Worker) record(w *watch, room chan struct{}, take step) {
	ctx, cancel := context.WithTimeout(w.ctx, recordTimeout)
	defer cancel()
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	case <-ctx.Done():
		return
	}
	if err := take(ctx); err != nil {
		p.Log.Error().Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).
			Msg("not recorded yet; the next poll tries again")
	}
}

// follow gives what the status asks for.
func (p *Worker) follow(w *watch, st seqr.PaymentStatus, fact events.Fact) step {
	switch st.Status {
	case seqr.StatusPaid:
		return p.paid(w, st, fact)
	case seqr.StatusCanceled:
		return p.end(w, canceled(fact))
	case seqr.StatusFailed:
		return p.end(w, ended(events.EventFailed, fact))
	case seqr.StatusExpired:
		return p.end(w, ended(events.EventExpired, fact))
	case seqr.StatusReserved:
		return p.reserved(w, fact)
	}
	if !w.overdue && !w.dueAt.IsZero() && !p.Bus.Now().Before(w.dueAt) {
		return p.overdue(w, fact)
	}
	return nil
}

// paid records the payment. Without its ersReference it could be neither receipted nor refunded, so an answer
// that lacks it is asked for again; the provider will not reverse what has been fetched.
func (p *Worker) paid(w *watch, st seqr.PaymentStatus, fact events.Fact) step {
	if st.ErsReference == "" {
		if w.nameless++; w.nameless <= maxNameless {
			return nil
		}
		fact.Why += ", and does not name the payment"
	}
	return p.end(w, func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith(st.ErsReference, Name, fact) })
}

func ended(e events.Name, fact events.Fact) bus.Decide {
	return func(inv events.Invoice) (events.Invoice, error) { return inv.EndedBy(e, Name, fact) }
}

// canceled after the buyer's time was over is how an invoice expires: the canceler has asked for it, and
// the poller may hear of it first.
func canceled(fact events.Fact) bus.Decide {
	return func(inv events.Invoice) (events.Invoice, error) {
		if inv.OverdueAt == nil {
			return inv.EndedBy(events.EventCanceled, Name, fact)
		}
		late := fact
		late.Why += ", after the buyer's time was over"
		return inv.EndedBy(events.EventExpired, Name, late)
	}
}

// end records the last thing that will happen to the bill and lets go of it.
func (p *Worker) end(w *watch, next bus.Decide) step {
	return func(ctx context.Context) error {
		if err := p.update(ctx, w, next); err != nil {
			return err
		}
		w.held.Done(context.WithoutCancel(ctx))
		w.gone = true
		return nil
	}
}

// overdue records that the buyer's time is over. The canceler acts on it; polling goes on until the
// provider says how it ended.
func (p *Worker) overdue(w *watch, fact events.Fact) step {
	fact.Why, fact.Call = fmt.Sprintf("not paid by %s", w.dueAt.UTC().Format(time.RFC3339)), nil
	return func(ctx context.Context) error {
		err := p.update(ctx, w, func(inv events.Invoice) (events.Invoice, error) { return inv.Overdue(fact) })
		w.overdue = err == nil
		return err
	}
}

// reserved records the reservation and commits it, which turns it into a payment.
func (p *Worker) reserved(w *watch, fact events.Fact) step {
	return func(ctx context.Context) error {
		if err := p.update(ctx, w, func(inv events.Invoice) (events.Invoice, error) { return inv.ReservedBy(Name, fact) }); err != nil {
			return err
		}
		call, cancel := context.WithTimeout(w.ctx, callTimeout)
		defer cancel()
		return p.Provider.CommitReservation(call, seqr.CommitReservation{As: w.as, InvoiceReference: w.reference})
	}
}

// update appends one event; an invoice in which it is not allowed has moved on, and that is well.
func (p *Worker) update(ctx context.Context, w *watch, next bus.Decide) error {
	_, err := p.Bus.Update(ctx, Name, w.key, func(inv events.Invoice) (events.Invoice, error) {
		after, err := next(inv)
		if errors.Is(err, events.ErrNotAllowed) {
			return inv, bus.ErrNothing
		}
		return after, err
	})
	return err
}

// failed counts a poll without a status. Only an invoice that the provider keeps denying is given up.
func (p *Worker) failed(w *watch, err error) step {
	w.failures++
	code, answered := seqr.CodeOf(err)
	w.silent = !answered
	p.metrics.polls.WithLabelValues("error").Inc()
	log := p.Log.Debug()
	if w.failures == 1 || calls.Credentials(err) {
		log = p.Log.Warn()
	}
	log.Err(err).Str("worker", Name).Str("shop", w.key.Shop).Str("invoice", w.key.Invoice).Int("failures", w.failures).Msg("poll")
	if !answered || code != seqr.InvalidInvoiceReference {
		w.unknown = 0
		return nil
	}
	if w.unknown++; w.unknown < maxUnknown {
		return nil
	}
	return func(ctx context.Context) error {
		if err := w.held.Park(ctx, err); err != nil {
			return err
		}
		w.gone = true
		return nil
	}
}

// refuse parks a delivery that cannot be polled for.
func (p *Worker) refuse(h bus.Held, reason error) {
	if err := h.Park(context.Background(), reason); err != nil {
		p.Log.Error().Err(err).Str("worker", Name).Str("subject", h.Subject).Msg("parking")
		h.GiveBack()
	}
}

func label(s seqr.InvoiceStatus) string {
	switch s {
	case seqr.StatusIssued, seqr.StatusPaid, seqr.StatusPendingIssuerAcknowledge, seqr.StatusCanceled,
		seqr.StatusFailed, seqr.StatusReserved, seqr.StatusExpired, seqr.StatusPartiallyPaid:
		return string(s)
	}
	return "other"
}
