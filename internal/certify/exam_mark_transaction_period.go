package certify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

const (
	// makingReport is longer than the sandbox takes to make a report; leastPause is the shortest time between two calls.
	makingReport = 5 * time.Second
	leastPause   = 2 * time.Second
)

// markTransactionPeriod tests that a period is closed and its report fetched.
func markTransactionPeriod(e *exam, ctx context.Context) {
	k := events.PeriodKeyOf(shop, "certify-"+e.id)
	_, err := reconciler.RequestClose(ctx, e.bus, "certify", shop, k.Period, "certification procedure")
	if !e.noteResult("the shop closes its period", err, k.Period) {
		return
	}
	parked := func() error { return e.transcript.parkedError("periods", k.Shop, k.Period) }
	mark, err := e.waitForSuccess(ctx, func(x *recorded) bool { return x.Operation == "markTransactionPeriod" }, parked)
	if !e.noteResult("markTransactionPeriod is accepted", e.withOutcome(err, "markTransactionPeriod"), "", mark) {
		return
	}
	id := mark.response.word("transactionPeriodId")
	e.noteStep("it gives a transactionPeriodId", id != "", quoted(id), mark)
	e.checkRules(contextRules([]*recorded{mark}), mark)
	e.checkReport(ctx, mark, id, parked)
}

// checkReport checks the executeReport calls until the report is there.
func (e *exam) checkReport(ctx context.Context, mark *recorded, id string, parked func() error) {
	about := func(x *recorded) bool { return x.Operation == "executeReport" && x.n > mark.n }
	early, err := e.waitForCall(ctx, func(x *recorded) bool { return about(x) && x.Code != nil }, parked)
	if err == nil && early.answered(seqr.ReportNotReady) {
		if e.own != nil {
			err = e.wait(ctx, makingReport)
		}
		e.sayWaiting("waiting for the report of the period")
	}
	var done *recorded
	if err == nil {
		done, err = e.waitForSuccess(ctx, about, parked)
	}
	calls := e.transcript.list(about)
	if !e.noteResult("executeReport is asked until the report is ready", e.withOutcome(err, "executeReport"), outcomes(calls), append([]*recorded{mark}, calls...)...) {
		return
	}
	named := done.request.parameter(seqr.ParamTransactionPeriodID)
	e.noteStep("it names the period that was marked", named != "" && named == id, seqr.ParamTransactionPeriodID+" "+quoted(named), done)
	terminal := mark.request.parameter(seqr.ParamTerminalID)
	e.noteStep("both calls are about the same terminal", terminal == done.request.parameter(seqr.ParamTerminalID), quoted(terminal), mark, done)
	e.checkRules(contextRules(calls), done)
	asked := append([]*recorded{mark}, calls...)
	pause, ok := pauses(asked)
	e.noteStep("the provider is given time before each question", ok, pause, asked...)
	rows, err := reportIn(done)
	e.noteResult("the report can be read", err, rows, done)
}

// pauses measures the shortest time between the end of one call and the next.
func pauses(calls []*recorded) (string, bool) {
	least := calls[1].At.Sub(calls[0].ended())
	for i := range calls[2:] {
		least = min(least, calls[i+2].At.Sub(calls[i+1].ended()))
	}
	return fmt.Sprintf("at least %.1f s", least.Seconds()), least >= leastPause
}

// reportIn reads the report in an answer, and describes it.
func reportIn(x *recorded) (string, error) {
	r := x.response.at("report")
	content := []byte(r.word("contentString"))
	if data := r.word("content"); data != "" {
		var err error
		if content, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), "")); err != nil {
			return "", fmt.Errorf("content: %w", err)
		}
	}
	if len(content) == 0 {
		return "", errors.New("the answer has no report")
	}
	doc, err := parse(content)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %s, %d rows", r.word("title"), doc.XMLName.Local, len(doc.all("Row"))), nil
}
