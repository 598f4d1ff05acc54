package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// settleAge is how long before the mark a refund must have come into doubt before its absence from the
// report proves anything: until then the provider might still have been at work on the request.
const settleAge = 10 * time.Minute

// doubt is a refund of ours of which nobody knows whether it happened.
type doubt struct {
	events.LedgerEntry
	AskedAt time.Time // when the intent was recorded
	At      time.Time // not before it came into doubt
}

func entriesOf(doubts []doubt) []events.LedgerEntry {
	var out []events.LedgerEntry
	for _, d := range doubts {
		out = append(out, d.LedgerEntry)
	}
	return out
}

// settlement is what the report proves about a refund in doubt.
type settlement struct {
	doubt
	ErsReference string // of the row that proves that it happened; "" proves that it did not
}

// settlements are the refunds that the report proves, one way or the other. A row proves a refund when
// each fits the other and nothing else, not even one of the others: refunds that are done without a reference
// of their own, or under way. Absence proves that it did not happen only when this report is the one that must
// have had it: the report shows the refunds that we know; it was asked for in this period, and long enough
// before the mark; no mark's outcome is unknown; and there is no row, here or carried over, that it could be.
func settlements(doubts []doubt, others []events.LedgerEntry, shown bool, rows []row, b books, markedAt time.Time) []settlement {
	refunds := map[string][]row{}
	for _, r := range rows {
		if r.Amount.Sign() < 0 {
			refunds[r.Amount.Trim(0).String()] = append(refunds[r.Amount.Trim(0).String()], r)
		}
	}
	rivals := map[string]int{}
	for _, d := range doubts {
		rivals[amountOf(d.LedgerEntry)]++
	}
	for _, e := range others {
		rivals[amountOf(e)]++
	}
	carried := map[string]bool{}
	for _, e := range b.Early {
		if e.Amount != nil {
			carried[e.Amount.Decimal().Trim(0).String()] = true
		}
	}
	whole := shown && b.Doubt == "" && b.EarlyOmitted == 0
	var out []settlement
	for _, d := range doubts {
		k := amountOf(d.LedgerEntry)
		switch {
		case len(refunds[k]) == 1 && rivals[k] == 1 && !carried[k]:
			out = append(out, settlement{d, refunds[k][0].Ref})
		case len(refunds[k]) == 0 && rivals[k] == 1 && !carried[k] && whole && d.AskedAt.After(b.Since) && d.Seq <= b.LedgerBefore && d.At.Add(settleAge).Before(markedAt):
			out = append(out, settlement{d, ""})
		}
	}
	return out
}

func amountOf(e events.LedgerEntry) string { return e.Signed().Decimal().Trim(0).String() }

// settle records what the report proves, and says whether that was anything.
func (w *Worker) settle(ctx context.Context, p events.Period, all []settlement) (recorded bool, err error) {
	for _, s := range all {
		why := fmt.Sprintf("the report of period %s has this refund", p.TransactionPeriodID)
		if s.ErsReference == "" {
			why = fmt.Sprintf("the report of period %s, marked at %s, has no such refund", p.TransactionPeriodID, p.MarkedAt.Format(time.RFC3339))
		}
		fact := events.Fact{At: w.Bus.Now(), Why: why, By: Name}
		_, err := w.Bus.Update(ctx, Name, events.KeyOf(s.Shop, s.InvoiceID), func(i events.Invoice) (events.Invoice, error) {
			after, err := i.RefundSettled(s.RefundID, s.ErsReference != "", s.ErsReference, fact)
			if errors.Is(err, events.ErrNotAllowed) {
				return i, bus.ErrNothing // somebody settled it meanwhile
			}
			recorded = recorded || err == nil
			return after, err
		})
		if err != nil {
			return recorded, err
		}
	}
	return recorded, nil
}
