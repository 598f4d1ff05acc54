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
	first, ok := e.placeOrder(ctx, stepSend, row("Certification item", 1, 2))
	if !ok || !e.statusUnscanned(ctx, first) {
		return
	}
	paid, ok := e.payAndWait(ctx, &first, true)
	if ok {
		e.checkFetchedInTime(first, paid)
	}
	polls := e.polls(first)
	e.checkRules(contextRules(polls), polls[0])
	e.checkRules([]verdict{versionRule(polls)}, polls[0], polls[len(polls)-1])
	second, ok := e.placeOrder(ctx, stepSendAgain, row("Certification item", 1, 2))
	if !ok {
		return
	}
	if !e.noteResult("the second invoice is left alone", e.Buyer.Leave(ctx, ShownInvoice{second.inv, e.code(second)}), "nobody is to pay it") {
		return
	}
	e.statusLater(ctx, second)
}

// checkFetchedInTime checks the time from the last answer that was not PAID, as the buyer has paid after it.
func (e *exam) checkFetchedInTime(placed placedOrder, paid *recorded) {
	var before *recorded
	for _, x := range e.polls(placed) {
		if x.n < paid.n && x.Status != "" && x.Status != seqr.StatusPaid {
			before = x
		}
	}
	if before == nil {
		e.noteStep("PAID is fetched within 20 s of the payment", false, "no status was answered before it")
		return
	}
	took := e.pollingTime(before.At, paid.ended())
	e.noteStep("PAID is fetched within 20 s of the payment", took <= reversal,
		fmt.Sprintf("%.1f s after the last answer that said %s", took.Seconds(), before.Status), before, paid)
}

// pollingTime gives the time between two instants, scaled to a poller that polls every second: where polls are made more often,
// each second counts as more. Time that was skipped counts as it is.
func (e *exam) pollingTime(from, to time.Time) time.Duration {
	passed := to.Sub(from)
	skipped := e.time.of(to).Sub(e.time.of(from)) - passed
	return time.Duration(passed.Seconds()/e.interval.Seconds()*float64(pollEvery)) + skipped
}

// statusLater waits 30 seconds, and then for a status that was asked for after them.
func (e *exam) statusLater(ctx context.Context, placed placedOrder) {
	due := e.time.of(placed.sent.ended()).Add(laterStatus)
	e.sayWaiting("waiting 30 s; nobody is to pay this one")
	how := "really waited"
	if e.own != nil {
		how = "the sandbox's clock was moved"
	}
	if !e.noteResult(stepWait, e.wait(ctx, due.Sub(e.time.of(time.Now()))), how) {
		return
	}
	poll := pollOf(placed)
	x, err := e.waitForSuccess(ctx, func(x *recorded) bool { return poll(x) && !e.time.of(x.At).Before(due) }, func() error {
		if inv, known := e.last(placed.key); known && !inv.State.Open() {
			return fmt.Errorf("the invoice was %s before the wait was over", inv.State)
		}
		return nil
	})
	if err != nil {
		e.noteResult(stepLater, e.withOutcome(err, "getPaymentStatus"), "", placed.sent)
		return
	}
	after := e.time.of(x.At).Sub(e.time.of(placed.sent.ended()))
	expected := []seqr.InvoiceStatus{seqr.StatusIssued, seqr.StatusPaid, seqr.StatusFailed, seqr.StatusReserved}
	e.noteStep(stepLater, slices.Contains(expected, x.Status), fmt.Sprintf("%s, asked %.1f s after", x.Status, after.Seconds()), placed.sent, x)
	polls := e.polls(placed)
	e.checkRules([]verdict{versionRule(polls)}, polls[0], polls[len(polls)-1])
}
