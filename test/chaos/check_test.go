package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// evidence is what is left when a schedule is over.
type evidence struct {
	schedule  schedule
	histories map[string][]recorded // by invoice, in order
	parked    []events.Parked
	ledger    sandbox.Ledger
	calls     *calls
	wishes    wishes
	intruded  map[uint64]stranger
	problems  []string
}

// recorded is one event as the stream has it.
type recorded struct {
	name events.Name
	seq  uint64
	at   time.Time // when it was stored
	events.Invoice
}

func (e *evidence) report(format string, args ...any) {
	e.problems = append(e.problems, fmt.Sprintf(format, args...))
}

// gather reads the streams from their beginning: what the watcher saw is only for the trace.
func (w *world) gather(ctx context.Context) (*evidence, error) {
	e := &evidence{schedule: w.schedule, histories: map[string][]recorded{}, ledger: w.sandbox.Ledger(), calls: &w.calls, intruded: w.intruded, problems: w.faults}
	var err error
	if e.wishes, err = w.readWishes(ctx); err != nil {
		return nil, err
	}
	_, err = w.hub.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, Filters: []string{"invoices.*.*.*"}, Since: w.begun}, func(m bus.Entry) error {
		a, err := events.ParseSubject(m.Subject)
		if err != nil {
			return err
		}
		inv, _, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
		_, intruded := e.intruded[m.Seq]
		switch {
		case intruded && err == nil:
			return fmt.Errorf("%s passes for an event of ours", m.Subject)
		case intruded:
			return nil
		}
		e.histories[a.ID] = append(e.histories[a.ID], recorded{events.Name(a.Event), m.Seq, m.Time, inv})
		return err
	})
	if err != nil {
		return nil, err
	}
	_, err = w.hub.Scan(ctx, bus.Scan{Stream: events.ParkedStream, Filters: []string{"parked.*.*.*"}, Since: w.begun}, func(m bus.Entry) error {
		p, _, err := bus.DecodeParked(m.Body)
		e.parked = append(e.parked, p)
		return err
	})
	return e, err
}

// check everything that must hold when a schedule is over.
func (e *evidence) check() []string {
	known := map[string]bool{}
	for _, o := range e.schedule.Orders {
		known[o.ID] = true
		history := e.histories[o.ID]
		e.checkHistory(o, history)
		e.checkEnd(o, history)
		if len(history) > 0 {
			e.checkMoney(o, history[len(history)-1].Invoice)
			e.checkRefunds(o, history[len(history)-1].Invoice)
			e.checkTries(o, history[len(history)-1].Invoice)
		}
		e.checkReturns(o, history)
	}
	for id := range e.histories {
		if !known[id] {
			e.report("%s: nobody placed such an order", id)
		}
	}
	if n := len(e.ledger.Reversals); n > 0 && !e.schedule.neglects() {
		e.report("%d payments were reversed because nobody fetched them", n)
	}
	e.checkParked()
	e.checkStrangers()
	return e.problems
}

// checkHistory sees that every event follows from the one before, by the table, and forgets nothing.
func (e *evidence) checkHistory(o order, history []recorded) {
	before := recorded{Invoice: events.Invoice{State: events.None}}
	paid := 0
	for i, now := range history {
		at := fmt.Sprintf("%s: event %d (%s)", o.ID, i+1, now.name)
		if now.name != now.Change.Event {
			e.report("%s calls itself %s", at, now.Change.Event)
		}
		if now.Change.From != before.State {
			e.report("%s says it follows %s, and the state was %s", at, now.Change.From, before.State)
		}
		to, err := events.Next(before.State, now.name, now.name == events.EventRefunded && now.Refunded.Cmp(now.Total) >= 0)
		if err != nil || to != now.State {
			e.report("%s leads from %s to %s; the table says %s, %v", at, before.State, now.State, to, err)
		}
		if now.name == events.EventPaid {
			paid++
		}
		e.checkNothingForgotten(at, before.Invoice, now.Invoice)
		before = now
	}
	if paid > 1 {
		e.report("%s: paid was recorded %d times", o.ID, paid)
	}
}

func (e *evidence) checkNothingForgotten(at string, before, now events.Invoice) {
	if before.InvoiceReference != "" && now.InvoiceReference != before.InvoiceReference {
		e.report("%s: the bill was %s and is %s", at, before.InvoiceReference, now.InvoiceReference)
	}
	if before.ErsReference != "" && now.ErsReference != before.ErsReference {
		e.report("%s: the payment was %s and is %s", at, before.ErsReference, now.ErsReference)
	}
	if len(now.Receipts) < len(before.Receipts) || len(now.Receipts) > 1 {
		e.report("%s: %d receipts, %d before", at, len(now.Receipts), len(before.Receipts))
	}
	for _, r := range before.Refunds {
		after, ok := now.Refund(r.RefundID)
		if !ok || after.Amount.Cmp(r.Amount) != 0 || r.Status == events.RefundDone && after.Status != events.RefundDone {
			e.report("%s: refund %s of %s (%s) became %+v", at, r.RefundID, r.Amount, r.Status, after)
		}
		if r.Status == events.RefundWaiting && after.Status == events.RefundUnknown {
			e.report("%s: refund %s was certainly not made, and is in doubt", at, r.RefundID)
		}
	}
	if now.Refunded.Add(now.ReservedForRefunds).Cmp(now.Total) > 0 {
		e.report("%s: %s refunded and %s held of %s", at, now.Refunded, now.ReservedForRefunds, now.Total)
	}
}

// checkEnd sees that the order came to an end that its inputs allow.
func (e *evidence) checkEnd(o order, history []recorded) {
	placed, canceled := o.has(events.Placed), e.canceled(o, ever())
	if len(history) == 0 {
		if placed || canceled {
			e.report("%s: nothing is recorded of it", o.ID)
		}
		return
	}
	last := history[len(history)-1].Invoice
	bill, _ := e.bill(last.InvoiceReference)
	ok := false
	switch last.State {
	case events.Rejected:
		ok = placed && e.calls.count(func(c called) bool { return c.op == "sendInvoice" && c.about == o.ID && c.refused(0) }) > 0
	case events.Canceled:
		ok = canceled || o.Buyer == declines && placed || !bill.ReversedAt.IsZero() || last.OverdueAt != nil // the poller may see the canceler's work first
	case events.Expired:
		ok = placed
	case events.Receipted, events.Refunded:
		ok = placed && len(last.Receipts) == 1 && e.receipted(last.ErsReference)
	}
	if !ok {
		e.report("%s: ended as %s with %d receipts (the provider says %s); its inputs do not allow that", o.ID, last.State, len(last.Receipts), bill.Status)
	}
	refused := e.refusedRefunds(o.ID) > 0
	if last.State.Paid() && canceled && last.Remaining().Sign() > 0 && !refused {
		e.report("%s: canceled and paid, and %s was not paid back", o.ID, last.Remaining())
	}
	if last.Late && last.Remaining().Sign() > 0 && !refused {
		e.report("%s: paid late, and %s was not paid back", o.ID, last.Remaining())
	}
}

// checkParked sees that nothing was parked but returns of what was not paid at some time.
func (e *evidence) checkParked() {
	for _, p := range e.parked {
		if a, _ := events.ParseSubject(p.Subject); p.Worker == foreignWorker || p.Worker == poller.Name && e.intrusion(a.ID) {
			continue // checkStrangers
		}
		r, err := events.DecodeReturn(events.Message{Subject: p.Subject, Body: []byte(p.Original)})
		if err != nil || p.Worker != refunder.Name || e.alwaysPaid(r.Key().Invoice) {
			e.report("parked by %s: %s (%s)", p.Worker, p.Subject, p.Reason)
		}
	}
}

// alwaysPaid says that the invoice was never in an end without a payment.
func (e *evidence) alwaysPaid(id string) bool {
	history := e.histories[id]
	return len(history) > 0 && !slices.ContainsFunc(history, func(r recorded) bool { return r.State.Ended() })
}

// checkReturns sees that every return was answered.
func (e *evidence) checkReturns(o order, history []recorded) {
	var last events.Invoice
	if len(history) > 0 {
		last = history[len(history)-1].Invoice
	}
	for _, m := range o.Messages {
		if m.Name != events.Returned {
			continue
		}
		_, answered := last.Refund(m.RefundID)
		parked := slices.ContainsFunc(e.parked, func(p events.Parked) bool {
			return strings.Contains(p.Original, `"refundId":"`+m.RefundID+`"`) && strings.Contains(p.Subject, "."+o.orderID()+".")
		})
		if !answered && !parked {
			e.report("%s: the return %s was neither answered nor parked", o.ID, m.RefundID)
		}
	}
}

func (e *evidence) refusedRefunds(id string) int {
	return e.calls.count(func(c called) bool {
		return c.op == "refundPayment" && c.about == id && c.refused(seqr.SumOfRefundsExceedsPayment)
	})
}

func (e *evidence) bill(ref string) (sandbox.Invoice, bool) {
	for _, b := range e.ledger.Invoices {
		if b.InvoiceReference == ref {
			return b, true
		}
	}
	return sandbox.Invoice{}, false
}

func (e *evidence) receipted(ers string) bool {
	return slices.ContainsFunc(e.ledger.Receipts, func(r sandbox.Receipt) bool { return r.ErsReference == ers })
}
