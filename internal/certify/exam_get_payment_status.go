package certify

import (
	"context"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// laterStatus is how long after its sendInvoice the second invoice's status is to be asked for.
const laterStatus = 30 * time.Second

// getPaymentStatus: before the scan, after the payment, and of a second invoice 30 seconds after it was sent.
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
	if !e.did("the second invoice is left alone", e.Buyer.Leave(ctx, Bill{second.inv, e.code(second)}), "nobody is to pay it") {
		return
	}
	e.later(ctx, second)
}

// fetchedInTime: whenever the buyer paid, it was after the last answer that said something else.
func (e *exam) fetchedInTime(b bill, paid *recorded) {
	var before *recorded
	for _, x := range e.polls(b) {
		if x.n < paid.n && x.answered(seqr.Success) && x.response.word("status") != string(seqr.StatusPaid) {
			before = x
		}
	}
	if before == nil {
		e.step("PAID is fetched within 20 s of the payment", false, "no status was answered before it")
		return
	}
	took := e.polled(before.At, paid.ended())
	e.step("PAID is fetched within 20 s of the payment", took <= reversal,
		fmt.Sprintf("%.1f s after the last answer that said %s", took.Seconds(), before.response.word("status")), before, paid)
}

// polled is the time between two instants as a poller at a provider would have had it: where polls are made
// more often than there, all of it counts for more.
func (e *exam) polled(from, to time.Time) time.Duration {
	passed := to.Sub(from)
	skipped := e.time.of(to).Sub(e.time.of(from)) - passed
	return time.Duration(passed.Seconds()/e.asks.Seconds()*float64(pollEvery)) + skipped
}

// later waits, and then for a status that was asked for when the wait was over.
func (e *exam) later(ctx context.Context, b bill) {
	due := e.time.of(b.sent.ended()).Add(laterStatus)
	e.waits("waiting 30 s; nobody is to pay this one")
	how := "really waited"
	if e.own != nil {
		how = "the sandbox's clock was moved"
	}
	if !e.did(stepWait, e.wait(ctx, due.Sub(e.time.of(time.Now()))), how) {
		return
	}
	x, err := e.call(ctx, func(x *recorded) bool {
		return isPoll(x, b) && x.answered(seqr.Success) && !e.time.of(x.At).Before(due)
	}, func() error {
		if inv, known := e.last(b.key); known && !inv.State.Open() {
			return fmt.Errorf("the invoice was %s before the wait was over", inv.State)
		}
		return nil
	})
	if err != nil {
		e.did(stepLater, e.because(err, "getPaymentStatus"), "", b.sent)
		return
	}
	status := x.response.word("status")
	after := e.time.of(x.At).Sub(e.time.of(b.sent.ended()))
	expected := status == string(seqr.StatusIssued) || status == string(seqr.StatusPaid) || status == string(seqr.StatusFailed) || status == string(seqr.StatusReserved)
	e.step(stepLater, expected, fmt.Sprintf("%s, asked %.1f s after", status, after.Seconds()), b.sent, x)
	polls := e.polls(b)
	e.rules([]verdict{versionRule(polls)}, polls[0], polls[len(polls)-1])
}
