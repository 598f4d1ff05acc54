package certify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// exam is one test under way. A step that fails does not end it, unless the next steps depend on it.
type exam struct {
	*run
	test   Test
	failed bool
}

// noteStep notes a step with the exchanges that it rests on, and gives ok back.
func (e *exam) noteStep(name string, ok bool, detail string, rest ...*recorded) bool {
	s := Step{Number: e.test.number(name), Name: name, Passed: ok, Detail: detail}
	for _, x := range rest {
		if x != nil && !slices.Contains(s.Exchanges, x.n) {
			s.Exchanges = append(s.Exchanges, x.n)
		}
	}
	e.failed = e.failed || !ok
	e.test.Steps = append(e.test.Steps, s)
	if e.Observer != nil {
		e.Observer.StepDone(s)
	}
	return ok
}

// noteResult notes a step that fails if err is not nil.
func (e *exam) noteResult(name string, err error, detail string, rest ...*recorded) bool {
	if err != nil {
		detail = err.Error()
	}
	return e.noteStep(name, err == nil, detail, rest...)
}

// checkRules notes a step for each rule.
func (e *exam) checkRules(verdicts []verdict, rest ...*recorded) {
	for _, v := range verdicts {
		e.noteStep(v.name, v.ok, v.detail, rest...)
	}
}

// sayWaiting tells the observer for what the test waits.
func (e *exam) sayWaiting(format string, args ...any) {
	if e.Observer != nil {
		e.Observer.Waiting(fmt.Sprintf(format, args...))
	}
}

// placedOrder is an order that has become an invoice.
type placedOrder struct {
	key  events.Key
	inv  events.Invoice // as of the last event that the test has waited for
	sent *recorded      // its sendInvoice
}

// placeOrder publishes an order of the rows and waits for its invoice.
func (e *exam) placeOrder(ctx context.Context, step string, rows ...events.Row) (placedOrder, bool) {
	e.orders++
	o := events.Order{OrderID: fmt.Sprintf("certify-%s-%d", e.id, e.orders), Shop: shop, Currency: e.Provider.Currency,
		Title: "Certification test " + e.test.Name, Rows: rows}
	for _, r := range rows {
		o.Total = o.Total.Add(r.Total)
	}
	placed := placedOrder{key: o.Key()}
	e.published = append(e.published, placed.key)
	err := e.bus.PublishOrder(ctx, "/seqrflow/certify", shop, o.OrderID, o.OrderID+"-placed", events.Placed, o)
	if err == nil {
		placed.inv, err = e.waitForEvent(ctx, placed.key, events.EventIssued)
	}
	if err == nil {
		e.transcript.mu.Lock()
		placed.sent = e.transcript.find(func(x *recorded) bool {
			return x.Operation == "sendInvoice" && x.answered(seqr.Success) && x.response.word("invoiceReference") == placed.inv.InvoiceReference
		})
		e.transcript.mu.Unlock()
		if placed.sent == nil {
			err = errors.New("no sendInvoice on the wire was answered with the invoice's reference")
		}
	}
	if err != nil {
		return placed, e.noteResult(step, e.withOutcome(err, "sendInvoice"), "")
	}
	return placed, e.noteStep(step, placed.inv.QRCode != "", fmt.Sprintf("invoiceReference %s, QR code %s", placed.inv.InvoiceReference, quoted(placed.inv.QRCode)), placed.sent)
}

// waitForEvent waits until one of the events is recorded. The error says how the invoice has ended without it, or why a worker has
// parked a message about it.
func (e *exam) waitForEvent(ctx context.Context, k events.Key, names ...events.Name) (events.Invoice, error) {
	var found events.Invoice
	err := e.transcript.waitFor(ctx, e.Patience, func() (bool, error) {
		for _, inv := range e.transcript.invoices {
			if inv.Key() != k {
				continue
			}
			if slices.Contains(names, inv.Change.Event) {
				found = inv
				return true, nil
			}
			if inv.State.Ended() {
				return false, fmt.Errorf("the invoice is %s: %s", inv.State, inv.Change.Why)
			}
		}
		for _, kind := range []string{"orders", "invoices"} {
			if err := e.transcript.parkedError(kind, k.Shop, k.Invoice); err != nil {
				return false, err
			}
		}
		return false, nil
	})
	return found, err
}

// waitForSuccess waits for an exchange that fits and was answered with success, as waitForCall does.
func (e *exam) waitForSuccess(ctx context.Context, fits func(*recorded) bool, giveUp func() error) (*recorded, error) {
	return e.waitForCall(ctx, func(x *recorded) bool { return fits(x) && x.answered(seqr.Success) }, giveUp)
}

// waitForCall waits for an exchange that fits, until giveUp, if any, gives an error.
func (e *exam) waitForCall(ctx context.Context, fits func(*recorded) bool, giveUp func() error) (*recorded, error) {
	var found *recorded
	err := e.transcript.waitFor(ctx, e.Patience, func() (bool, error) {
		if found = e.transcript.find(fits); found != nil {
			return true, nil
		}
		if giveUp != nil {
			return false, giveUp()
		}
		return false, nil
	})
	return found, err
}

// withOutcome adds the outcome of the last call of the operation, which helps to find the cause.
func (e *exam) withOutcome(err error, operation string) error {
	if err == nil {
		return nil
	}
	all := e.transcript.list(func(x *recorded) bool { return x.Operation == operation })
	switch {
	case len(all) == 0:
		return fmt.Errorf("%w; no %s has gone over the wire", err, operation)
	case errors.Is(err, errNotSeen):
		last := all[len(all)-1]
		return fmt.Errorf("%w; the last %s (exchange %d) ended with %s", err, operation, last.n, last.outcome())
	}
	return err
}

// polls gives the getPaymentStatus calls of an invoice so far.
func (e *exam) polls(placed placedOrder) []*recorded { return e.transcript.list(pollOf(placed)) }

func pollOf(placed placedOrder) func(*recorded) bool {
	return requestWith("getPaymentStatus", "invoiceReference", placed.inv.InvoiceReference)
}

// requestWith fits the calls of an operation whose request has an element with that text.
func requestWith(operation, element, text string) func(*recorded) bool {
	return func(x *recorded) bool { return x.Operation == operation && x.request.word(element) == text }
}

// statusUnscanned waits for the status of an invoice whose code is not scanned yet.
func (e *exam) statusUnscanned(ctx context.Context, placed placedOrder) bool {
	x, err := e.waitForSuccess(ctx, pollOf(placed), nil)
	if err != nil {
		return e.noteResult(stepUnscanned, e.withOutcome(err, "getPaymentStatus"), "")
	}
	return e.noteStep(stepUnscanned, x.Status == seqr.StatusIssued, string(x.Status), x)
}

// reversal is how long the provider waits until PAID is fetched.
const reversal = 20 * time.Second

// payAndWait makes the buyer pay and waits for PAID. With inTime and an own sandbox, as many polls as fit into the 20
// seconds may pass; then the sandbox's clock is moved past them.
func (e *exam) payAndWait(ctx context.Context, placed *placedOrder, inTime bool) (*recorded, bool) {
	if !e.noteResult(stepPays, e.Buyer.Pay(ctx, ShownInvoice{placed.inv, e.code(*placed)}), e.code(*placed)) {
		return nil, false
	}
	e.sayWaiting("waiting for the payment of %s %s", placed.inv.Total, placed.inv.Currency)
	poll := pollOf(*placed)
	paid := func(x *recorded) bool { return poll(x) && x.Status == seqr.StatusPaid }
	late := ""
	if inTime && e.own != nil {
		window := reversal / pollEvery * e.interval
		if err := e.transcript.waitFor(ctx, window, func() (bool, error) { return e.transcript.find(paid) != nil, nil }); errors.Is(err, errNotSeen) {
			late = "PAID was not fetched within 20 s, so the provider has given the money back: "
			err = e.wait(ctx, reversal)
			if err != nil {
				return nil, e.noteResult(stepPaid, err, "")
			}
		}
	}
	inv, err := e.waitForEvent(ctx, placed.key, events.EventPaid)
	if err == nil {
		placed.inv = inv
		var x *recorded
		if x, err = e.waitForCall(ctx, paid, nil); err == nil {
			return x, e.noteStep(stepPaid, inv.ErsReference != "", "ersReference "+quoted(inv.ErsReference), x)
		}
	}
	return nil, e.noteResult(stepPaid, fmt.Errorf("%s%w", late, e.withOutcome(err, "getPaymentStatus")), "")
}

// code gives the text of the QR code that the buyer scans: the till's, or the invoice's.
func (e *exam) code(placed placedOrder) string {
	if e.Procedure == PointOfSale {
		return seqr.StaticQRCode(e.Provider.SeqrID)
	}
	return placed.inv.QRCode
}

func (r *run) cancel(ctx context.Context, k events.Key) error {
	return r.bus.PublishOrder(ctx, "/seqrflow/certify", shop, k.Invoice, k.Invoice+"-canceled", events.OrderCanceled,
		events.Cancellation{OrderID: k.Invoice, Shop: shop, Reason: "certification procedure"})
}

// row gives a row of an order. Amounts are in whole units, which every currency has.
func row(description string, quantity, total int64) events.Row {
	return events.Row{Description: description, Quantity: whole(quantity), Total: events.AmountOf(whole(total))}
}

func whole(n int64) decimal.Decimal { return decimal.MustNew(n, 0) }

func noTerminal(e *exam, _ context.Context) {
	e.noteStep("a terminal to test with", false, "not run: registerTerminal has given none")
}

// outcomes describes how the calls ended.
func outcomes(xs []*recorded) string {
	var out []string
	for _, x := range xs {
		out = append(out, x.outcome())
	}
	return strings.Join(runs(out), ", ")
}
