package certify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// laterStatus is how long after its sendInvoice the second invoice's status is to be asked for.
const laterStatus = 30 * time.Second

// getPaymentStatus tests the status before the scan, after the payment, and of a second invoice 30 seconds after it was sent.
func getPaymentStatus(e *exam, ctx context.Context) {
	first, ok := e.order(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.unscanned(ctx, first) {
		return
	}
	paid, ok := e.scannedAndPaid(ctx, &first, true)
	if ok {
		e.fetchedInTime(first, paid)
	}
	polls := e.polls(first)
	e.rules(contextRules(polls), polls[0])
	e.rules([]verdict{versionRule(polls)}, polls[0], polls[len(polls)-1])
	second, ok := e.order(ctx, stepSendAgain, row("Certification item", 1, 2))
	if !ok {
		return
	}
	if !e.did("the second invoice is left alone", e.Buyer.Leave(ctx, ShownInvoice{second.inv, e.code(second)}), "nobody is to pay it") {
		return
	}
	e.later(ctx, second)
}

// fetchedInTime checks the time from the last answer that was not PAID, as the buyer has paid after it.
func (e *exam) fetchedInTime(placed placedOrder, paid *recorded) {
	var before *recorded
	for _, x := range e.polls(placed) {
		if x.n < paid.n && x.Status != "" && x.Status != seqr.StatusPaid {
			before = x
		}
	}
	if before == nil {
		e.step("PAID is fetched within 20 s of the payment", false, "no status was answered before it")
		return
	}
	took := e.polled(before.At, paid.ended())
	e.step("PAID is fetched within 20 s of the payment", took <= reversal,
		fmt.Sprintf("%.1f s after the last answer that said %s", took.Seconds(), before.Status), before, paid)
}

// polled gives the time between two instants, scaled to a poller that polls every second: where polls are made more often,
// each second counts as more. Time that was skipped counts as it is.
func (e *exam) polled(from, to time.Time) time.Duration {
	passed := to.Sub(from)
	skipped := e.time.of(to).Sub(e.time.of(from)) - passed
	return time.Duration(passed.Seconds()/e.interval.Seconds()*float64(pollEvery)) + skipped
}

// later waits 30 seconds, and then for a status that was asked for after them.
func (e *exam) later(ctx context.Context, placed placedOrder) {
	due := e.time.of(placed.sent.ended()).Add(laterStatus)
	e.waits("waiting 30 s; nobody is to pay this one")
	how := "really waited"
	if e.own != nil {
		how = "the sandbox's clock was moved"
	}
	if !e.did(stepWait, e.wait(ctx, due.Sub(e.time.of(time.Now()))), how) {
		return
	}
	poll := pollOf(placed)
	x, err := e.accepted(ctx, func(x *recorded) bool { return poll(x) && !e.time.of(x.At).Before(due) }, func() error {
		if inv, known := e.last(placed.key); known && !inv.State.Open() {
			return fmt.Errorf("the invoice was %s before the wait was over", inv.State)
		}
		return nil
	})
	if err != nil {
		e.did(stepLater, e.because(err, "getPaymentStatus"), "", placed.sent)
		return
	}
	after := e.time.of(x.At).Sub(e.time.of(placed.sent.ended()))
	expected := []seqr.InvoiceStatus{seqr.StatusIssued, seqr.StatusPaid, seqr.StatusFailed, seqr.StatusReserved}
	e.step(stepLater, slices.Contains(expected, x.Status), fmt.Sprintf("%s, asked %.1f s after", x.Status, after.Seconds()), placed.sent, x)
	polls := e.polls(placed)
	e.rules([]verdict{versionRule(polls)}, polls[0], polls[len(polls)-1])
}
