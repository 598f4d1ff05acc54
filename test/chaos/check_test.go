package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/internal/shopsim"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// evidence is what is left when a schedule is over.
type evidence struct {
	schedule schedule
	history  *audit.History
	orders   orderMessages
	parked   []events.Parked
	ledger   sandbox.Ledger
	calls    *calls
	foreign  map[uint64]foreignWrite       // by sequence in INVOICES
	events   []told                        // of INVOICES, in their order
	arrived  map[string][]shopsim.Received // at the destinations, by shop
	problems []string
	untold   bool // the time was over before the notifier had acknowledged everything
}

func (e *evidence) report(format string, args ...any) {
	e.problems = append(e.problems, fmt.Sprintf(format, args...))
}

// gather reads the streams from their beginning.
func (sim *simulation) gather(ctx context.Context) (*evidence, error) {
	e := &evidence{schedule: sim.schedule, ledger: sim.sandbox.Ledger(), calls: &sim.calls, foreign: sim.foreign, arrived: map[string][]shopsim.Received{}, problems: sim.failures}
	e.untold = sim.firstConsumer(ctx, sim.notifierDurables(), func(c consumer) bool { return c.err != nil || c.waiting > 0 || c.leased > 0 }) != nil
	for shop, r := range sim.systems.receivers {
		e.arrived[shop] = r.Received()
	}
	var err error
	if e.orders, err = sim.readOrders(ctx); err != nil {
		return nil, err
	}
	if e.history, err = audit.Read(ctx, sim.bus, slices.Collect(maps.Keys(e.foreign))...); err != nil {
		return nil, err
	}
	if e.events, err = sim.readEvents(ctx); err != nil {
		return nil, err
	}
	_, err = sim.bus.Scan(ctx, bus.Scan{Stream: events.ParkedStream}, func(m bus.Entry) error {
		p, _, err := events.DecodeParked(m.Body)
		e.parked = append(e.parked, p)
		return err
	})
	return e, err
}

// check says what is wrong at the end of a schedule: in the history, between it and the provider's ledger, and between both
// and what the schedule asked for.
func (e *evidence) check() []string {
	e.problems = append(e.problems, e.history.Problems...)
	for _, d := range audit.Compare(e.ledger, e.history.Last()).Differences {
		switch {
		case d.Kind == audit.Reversal && e.schedule.expectsReversals(): // it has one on purpose
		case d.Kind == audit.Status: // a provider that falsely says "canceled" ends the invoice later; checkEnd sees the ends
		default:
			e.report("%s", d)
		}
	}
	known := map[events.Key]bool{}
	for _, o := range e.schedule.Orders {
		known[o.key()] = true
		e.checkEnd(o)
		e.checkReturns(o)
		if last, ok := e.last(o); ok {
			e.checkRefunds(o, last)
			e.checkTries(o, last)
		}
	}
	for k := range e.history.Events {
		if !known[k] {
			e.report("%s: the schedule has no such order", k)
		}
	}
	e.checkParked()
	e.checkForeign()
	e.checkDestinations()
	return e.problems
}

// last is the invoice of an order as its last event has it; ok is false when nothing is recorded.
func (e *evidence) last(o order) (inv events.Invoice, ok bool) {
	all := e.history.Events[o.key()]
	if len(all) == 0 {
		return inv, false
	}
	return all[len(all)-1].Invoice, true
}

// checkEnd checks that the order came to an end that its inputs allow.
func (e *evidence) checkEnd(o order) {
	placed, canceled := o.has(events.Placed), e.canceled(o, ever())
	last, ok := e.last(o)
	if !ok {
		if placed || canceled {
			e.report("%s: nothing is recorded of it", o.ID)
		}
		return
	}
	provider := e.providerInvoice(last.InvoiceReference)
	ok = false
	switch last.State {
	case events.Rejected:
		ok = placed && e.calls.count(func(c called) bool { return c.op == "sendInvoice" && c.about == o.ID && c.refused(0) }) > 0
	case events.Canceled:
		ok = canceled || o.Buyer == declines && placed || !provider.ReversedAt.IsZero() || last.OverdueAt != nil // the poller may see the canceler's work first
	case events.Expired:
		ok = placed
	case events.Receipted, events.Refunded:
		ok = placed && len(last.Receipts) == 1 && e.receipted(last.ErsReference)
	}
	if !ok {
		e.report("%s: ended as %s with %d receipts (the provider says %s); its inputs do not allow that", o.ID, last.State, len(last.Receipts), provider.Status)
	}
	refused := e.refusedRefunds(o.ID) > 0
	if last.State.Paid() && canceled && last.Remaining().Sign() > 0 && !refused {
		e.report("%s: canceled and paid, and %s was not paid back", o.ID, last.Remaining())
	}
	if last.Late && last.Remaining().Sign() > 0 && !refused {
		e.report("%s: paid late, and %s was not paid back", o.ID, last.Remaining())
	}
}

// checkParked checks that nothing was parked but returns of what was not paid at some time.
func (e *evidence) checkParked() {
	for _, p := range e.parked {
		if a, _ := events.ParseSubject(p.Subject); p.Worker == foreignWorker || p.Worker == poller.Name && e.foreignFirst(a.Key()) {
			continue // checkForeign
		}
		r, err := events.DecodeReturn(events.Message{Subject: p.Subject, Body: []byte(p.Original)})
		if err != nil || p.Worker != refunder.Name || e.alwaysPaid(r.Key()) {
			e.report("parked by %s: %s (%s)", p.Worker, p.Subject, p.Reason)
		}
	}
}

// alwaysPaid says that the invoice never ended without a payment.
func (e *evidence) alwaysPaid(k events.Key) bool {
	all := e.history.Events[k]
	return len(all) > 0 && !slices.ContainsFunc(all, func(x audit.Event) bool { return x.State.Ended() })
}

// checkReturns checks that every return was answered or parked.
func (e *evidence) checkReturns(o order) {
	last, _ := e.last(o)
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

// checkRefunds checks the reason of each refund that failed or whose outcome is unknown. That the others are in the provider's
// ledger is checked by audit.Compare.
func (e *evidence) checkRefunds(o order, last events.Invoice) {
	for _, r := range last.Refunds {
		switch r.Status {
		case events.RefundUnknown:
			e.checkDoubt(o, last, r)
		case events.RefundFailed:
			e.checkFailed(o, last, r)
		}
	}
}

// checkDoubt checks a refund whose outcome is unknown: for one attempt at it no worker that could record the answer has got one. Refunds
// of the same amount are counted together, since the provider tells them apart by nothing else.
func (e *evidence) checkDoubt(o order, last events.Invoice, r events.Refund) {
	attempts := 0
	for _, other := range last.Refunds {
		if other.Amount.Cmp(r.Amount) == 0 {
			attempts += other.Attempts
		}
	}
	answers := e.calls.count(func(c called) bool {
		return c.op == "refundPayment" && c.about == o.ID && c.amount == r.Amount.String() && c.heard()
	})
	if answers >= attempts {
		e.report("%s: refund %s of %s is in doubt, and %d attempts were all answered", o.ID, r.RefundID, r.Amount, attempts)
	}
}

// checkFailed checks that a refund was refused because there was too little left, or by the provider.
func (e *evidence) checkFailed(o order, last events.Invoice, r events.Refund) {
	left := last.Remaining()
	if r.Amount.Cmp(left) <= 0 && r.Amount.Sign() > 0 && e.refusedRefunds(o.ID) == 0 {
		e.report("%s: refund %s of %s failed with %s left (%s)", o.ID, r.RefundID, r.Amount, left, r.Detail)
	}
}

func (e *evidence) refusedRefunds(id string) int {
	return e.calls.count(func(c called) bool {
		return c.op == "refundPayment" && c.about == id && c.refused(seqr.SumOfRefundsExceedsPayment)
	})
}

func (e *evidence) providerInvoice(reference string) sandbox.Invoice {
	i := slices.IndexFunc(e.ledger.Invoices, func(x sandbox.Invoice) bool { return x.InvoiceReference == reference })
	if i < 0 {
		return sandbox.Invoice{}
	}
	return e.ledger.Invoices[i]
}

func (e *evidence) receipted(ers string) bool {
	return slices.ContainsFunc(e.ledger.Receipts, func(r sandbox.Receipt) bool { return r.ErsReference == ers })
}
