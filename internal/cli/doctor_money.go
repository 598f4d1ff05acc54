package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

const (
	// surveyTime is how long doctor reads the streams for money at risk.
	surveyTime = 30 * time.Second
	// parkedTooLong is how long a message may be parked before that is an alarm.
	parkedTooLong = time.Hour
	// reversalsOf is how far back doctor looks for payments that may have been reversed.
	reversalsOf = 24 * time.Hour
)

// moneyFindings are about refunds in doubt, periods, and payments that may have been reversed.
func moneyFindings(ctx context.Context, b *bus.Bus) []finding {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	var s reconciler.Survey
	err := s.Read(ctx, b)
	if errors.Is(err, context.DeadlineExceeded) {
		return []finding{{warn, fmt.Sprintf("INVOICES could not be read in %s: refunds in doubt and periods were not looked at", surveyTime),
			"see the reconciler's metrics seqrflow_refunds_in_doubt and seqrflow_reconciled_period_age_seconds"}}
	}
	if err != nil && !bus.IsMissing(err) { // the streams were told of
		return []finding{{fail, "reading INVOICES and PERIODS: " + err.Error(), "see the broker's log"}}
	}
	out := []finding{doubtFinding(ctx, b, &s)}
	out = append(out, periodFindings(ctx, b, &s)...)
	return append(out, reversalFinding(s.Reversals, b.Now()))
}

func doubtFinding(ctx context.Context, b *bus.Bus, s *reconciler.Survey) finding {
	inDoubt, err := s.Refunds(ctx, b)
	switch {
	case err != nil:
		return finding{fail, "refunds in doubt: " + err.Error(), "see the broker's log"}
	case len(inDoubt) > 0:
		return finding{fail, fmt.Sprintf("%d refunds may or may not have been paid", len(inDoubt)), "seqrflow refunds list, then close the period or seqrflow refunds resolve"}
	}
	return finding{ok, "no refund is in doubt", ""}
}

// periodFindings are about terminals whose last comparison found differences, and shops whose payments were in no period for two
// days.
func periodFindings(ctx context.Context, b *bus.Bus, s *reconciler.Survey) []finding {
	var out []finding
	for _, terminal := range slices.Sorted(maps.Keys(s.Compared)) {
		if p := s.Compared[terminal]; p.State == events.PeriodMismatched {
			out = append(out, finding{fail, fmt.Sprintf("period %s/%s, the last of terminal %s, differs from the provider's report in %d lines", p.Shop, p.Period, terminal, p.Differences),
				fmt.Sprintf("each line says what it may mean; this prints them and closes nothing: seqrflow close --shop %s --period %s", shellWord(p.Shop), shellWord(p.Period))})
		}
	}
	late, err := s.NotClosed(ctx, b)
	if err != nil {
		return append(out, finding{fail, "payments in no period: " + err.Error(), "see the broker's log"})
	}
	for _, shop := range slices.Sorted(maps.Keys(late)) {
		out = append(out, finding{fail, fmt.Sprintf("payments of shop %s, terminal %s, are older than %.0f hours and in no period that was compared", shop, late[shop], reconciler.ClosingDue.Hours()),
			"seqrflow close --shop " + shop + ", each day"})
	}
	if len(out) == 0 {
		out = append(out, finding{ok, fmt.Sprintf("%d terminals have closed periods, and the last of each agrees; no payment is overdue for one", len(s.Compared)), ""})
	}
	return out
}

func reversalFinding(all []reconciler.Reversal, now time.Time) finding {
	n, last := 0, reconciler.Reversal{}
	for _, r := range all {
		if now.Sub(r.At) < reversalsOf {
			n, last = n+1, r
		}
	}
	if n == 0 {
		return finding{ok, "no payment may have been reversed in the last 24 hours", ""}
	}
	return finding{fail, fmt.Sprintf("%d invoices were found canceled in the last 24 hours after 19 s or more without an answer: a payment may have been made and reversed; the last is %s, after %s",
		n, last.Key, last.Without.Round(time.Second)), "a buyer who had paid has the money back and may pay a new invoice; see why nobody polled or the provider did not answer then: seqrflow show " + last.Key.String()}
}

// writeFinding tries whether the broker takes what is written.
func writeFinding(ctx context.Context, b *bus.Bus) finding {
	err := b.TryWrite(ctx, "operator")
	switch {
	case err == nil:
		return finding{ok, "the broker takes what is written", ""}
	case bus.IsDenied(err):
		return finding{warn, "no write was tried: this key may write nothing", "run doctor with the operator's key to have it tried"}
	}
	return finding{fail, "the broker refuses what is written: " + err.Error(), "free space at the broker or raise the limit, and then restart a broker that goes on refusing: after a failed write it stores nothing more. Nothing is lost meanwhile, and nothing new is begun"}
}

// storageFinding tells how much of the account's storage is used.
func storageFinding(a bus.Account) finding {
	if a.Limit <= 0 {
		return finding{ok, fmt.Sprintf("the streams have %d bytes; the account has no limit of its own", a.Used), ""}
	}
	return usedFinding(fmt.Sprintf("the account uses %d of %d bytes of the broker's storage", a.Used, a.Limit), a.Used, a.Limit, "raise the account's limit")
}
