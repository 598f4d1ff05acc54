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

// exam is one test under way. A step that fails does not end it; one without which the next make no
// sense does.
type exam struct {
	*run
	test   Test
	failed bool
}

// step notes what was done or looked at, and gives ok back.
func (e *exam) step(name string, ok bool, detail string, rest ...*recorded) bool {
	s := Step{Number: e.test.number(name), Name: name, Passed: ok, Detail: detail}
	for _, x := range rest {
		if x != nil && !slices.Contains(s.Exchanges, x.n) {
			s.Exchanges = append(s.Exchanges, x.n)
		}
	}
	e.failed = e.failed || !ok
	e.test.Steps = append(e.test.Steps, s)
	if e.Audience != nil {
		e.Audience.Done(s)
	}
	return ok
}

// did notes a step that only an error can fail.
func (e *exam) did(name string, err error, detail string, rest ...*recorded) bool {
	if err != nil {
		detail = err.Error()
	}
	return e.step(name, err == nil, detail, rest...)
}

func (e *exam) rules(verdicts []verdict, rest ...*recorded) {
	for _, v := range verdicts {
		e.step(v.name, v.ok, v.detail, rest...)
	}
}

func (e *exam) waits(format string, args ...any) {
	if e.Audience != nil {
		e.Audience.Waits(fmt.Sprintf(format, args...))
	}
}

// bill is an order that has become an invoice.
type bill struct {
	key  events.Key
	inv  events.Invoice
	sent *recorded
}

// order places an order of the rows and waits for the invoice.
func (e *exam) order(ctx context.Context, step string, rows ...events.Row) (bill, bool) {
	e.orders++
	o := events.Order{OrderID: fmt.Sprintf("certify-%s-%d", e.id, e.orders), Shop: shop, Currency: e.Provider.Currency,
		Title: "Certification test " + e.test.Name, Rows: rows}
	for _, r := range rows {
		o.Total = o.Total.Add(r.Total)
	}
	b := bill{key: o.Key()}
	e.run.open = append(e.run.open, b.key)
	err := e.bus.PublishOrder(ctx, "/seqrflow/certify", shop, o.OrderID, o.OrderID+"-placed", events.Placed, o)
	if err == nil {
		b.inv, err = e.event(ctx, b.key, events.EventIssued)
	}
	if err == nil {
		e.tape.mu.Lock()
		b.sent = e.tape.find(func(x *recorded) bool {
			return x.Operation == "sendInvoice" && x.answered(seqr.Success) && x.response.word("invoiceReference") == b.inv.InvoiceReference
		})
		e.tape.mu.Unlock()
		if b.sent == nil {
			err = errors.New("no sendInvoice on the wire was answered with the invoice's reference")
		}
	}
	if err != nil {
		return b, e.did(step, e.because(err, "sendInvoice"), "")
	}
	return b, e.step(step, b.inv.QRCode != "", fmt.Sprintf("invoiceReference %s, QR code %s", b.inv.InvoiceReference, quoted(b.inv.QRCode)), b.sent)
}

// event waits until one of the events is recorded. It fails when the invoice ends in another way.
func (e *exam) event(ctx context.Context, k events.Key, names ...events.Name) (events.Invoice, error) {
	var found events.Invoice
	err := e.tape.await(ctx, e.Patience, func() (bool, error) {
		for _, inv := range e.tape.invoices {
			if inv.Key() != k {
				continue
			}
			for _, n := range names {
				if inv.Change.Event == n {
					found = inv
					return true, nil
				}
			}
			if inv.State.Ended() {
				return false, fmt.Errorf("the invoice is %s: %s", inv.State, inv.Change.Why)
			}
		}
		for _, kind := range []string{"orders", "invoices"} {
			if err := e.tape.stuck(kind, k.Shop, k.Invoice); err != nil {
				return false, err
			}
		}
		return false, nil
	})
	return found, err
}

// call waits for an exchange that fits; giveUp, if any, says that it will not come.
func (e *exam) call(ctx context.Context, fits func(*recorded) bool, giveUp func() error) (*recorded, error) {
	var found *recorded
	err := e.tape.await(ctx, e.Patience, func() (bool, error) {
		if found = e.tape.find(fits); found != nil {
			return true, nil
		}
		if giveUp != nil {
			return false, giveUp()
		}
		return false, nil
	})
	return found, err
}

// because adds what the last call of the operation came to, for whoever has to find the cause.
func (e *exam) because(err error, operation string) error {
	if err == nil {
		return nil
	}
	all := e.tape.list(func(x *recorded) bool { return x.Operation == operation })
	switch {
	case len(all) == 0:
		return fmt.Errorf("%w; no %s has gone over the wire", err, operation)
	case errors.Is(err, errNotSeen):
		last := all[len(all)-1]
		return fmt.Errorf("%w; the last %s (exchange %d) ended with %s", err, operation, last.n, last.outcome())
	}
	return err
}

// polls are the questions about an invoice so far.
func (e *exam) polls(b bill) []*recorded {
	return e.tape.list(func(x *recorded) bool { return isPoll(x, b) })
}

func isPoll(x *recorded, b bill) bool {
	return x.Operation == "getPaymentStatus" && x.request.word("invoiceReference") == b.inv.InvoiceReference
}

// unscanned waits for a status while nobody has scanned the code.
func (e *exam) unscanned(ctx context.Context, b bill) bool {
	x, err := e.call(ctx, func(x *recorded) bool { return isPoll(x, b) && x.answered(seqr.Success) }, nil)
	if err != nil {
		return e.did(stepUnscanned, e.because(err, "getPaymentStatus"), "")
	}
	status := x.response.word("status")
	return e.step(stepUnscanned, status == string(seqr.StatusIssued), status, x)
}

// reversal is how long the provider waits for PAID to be fetched.
const reversal = 20 * time.Second

// scannedAndPaid has the buyer pay and waits for PAID. Where the provider's clock can be moved and the test
// is about being in time, as many polls as fit into the 20 seconds may pass before the clock is moved past them.
func (e *exam) scannedAndPaid(ctx context.Context, b *bill, inTime bool) (*recorded, bool) {
	if !e.did(stepPays, e.Buyer.Pay(ctx, Bill{b.inv, e.code(*b)}), e.code(*b)) {
		return nil, false
	}
	e.waits("waiting for the payment of %s %s", b.inv.Total, b.inv.Currency)
	paid := func(x *recorded) bool {
		return isPoll(x, *b) && x.answered(seqr.Success) && x.response.word("status") == string(seqr.StatusPaid)
	}
	late := ""
	if inTime && e.own != nil {
		window := reversal / pollEvery * e.asks
		if err := e.tape.await(ctx, window, func() (bool, error) { return e.tape.find(paid) != nil, nil }); errors.Is(err, errNotSeen) {
			late = "PAID was not fetched within 20 s, so the provider has given the money back: "
			err = e.wait(ctx, reversal)
			if err != nil {
				return nil, e.did(stepPaid, err, "")
			}
		}
	}
	inv, err := e.event(ctx, b.key, events.EventPaid)
	if err == nil {
		b.inv = inv
		var x *recorded
		if x, err = e.call(ctx, paid, nil); err == nil {
			return x, e.step(stepPaid, inv.ErsReference != "", "ersReference "+quoted(inv.ErsReference), x)
		}
	}
	return nil, e.did(stepPaid, fmt.Errorf("%s%w", late, e.because(err, "getPaymentStatus")), "")
}

// code is what the buyer scans: the till's own, or the invoice's.
func (e *exam) code(b bill) string {
	if e.Procedure == PointOfSale {
		return seqr.StaticQRCode(e.Provider.SeqrID)
	}
	return b.inv.QRCode
}

func (r *run) cancel(ctx context.Context, k events.Key) error {
	return r.bus.PublishOrder(ctx, "/seqrflow/certify", shop, k.Invoice, k.Invoice+"-canceled", events.OrderCanceled,
		events.Cancellation{OrderID: k.Invoice, Shop: shop, Reason: "certification procedure"})
}

// row of an order, in whole units so that every currency has them.
func row(description string, quantity, total int64) events.Row {
	return events.Row{Description: description, Quantity: whole(quantity), Total: events.AmountOf(whole(total))}
}

func whole(n int64) decimal.Decimal { return decimal.MustNew(n, 0) }

func noTerminal(e *exam, _ context.Context) {
	e.step("a terminal to test with", false, "not run: registerTerminal has given none")
}

func list(xs []*recorded) string {
	var out []string
	for _, x := range xs {
		out = append(out, x.outcome())
	}
	return strings.Join(runs(out), ", ")
}
