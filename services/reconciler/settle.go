package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// settleAge is how long before the mark a refund must have come into doubt before its absence from the
// report proves anything: until then the provider might still have been at work on the request.
const settleAge = 10 * time.Minute

// settlement is what the report proves about a refund in doubt.
type settlement struct {
	openRefund
	ErsReference string // of the row that proves that it happened; "" proves that it did not
}

// settlements are the refunds in doubt that the report proves, one way or the other. Without our whole ledger it proves nothing,
// nor where an earlier report had a row of the same amount that is nothing of ours yet.
//
// A row proves a refund when each fits the other and nothing else: no other refund of that amount that is in doubt, under
// way, or done and not in the report by its reference. Even as many rows as there are candidates prove nothing: that one
// was done without a reference is itself a conclusion.
//
// Absence proves that it did not happen only when this report is the one that must have had it: the report shows refunds;
// it was asked for in this period, and long enough before the mark; and there is no row that it could be.
func settlements(doubts []openRefund, c *comparison, markedAt time.Time) []settlement {
	l := c.ledger
	if l.Doubt != "" || l.EarlyOmitted > 0 || l.OutstandingOmitted > 0 {
		return nil
	}
	refunds := c.refundRows()
	rivals := map[string]int{}
	for _, e := range slices.Concat(ledgerEntries(doubts), l.UnderWay) {
		rivals[amountOf(e)]++
	}
	for _, it := range c.items {
		if it.IsRefund() && !it.found {
			rivals[amountOf(it.LedgerEntry)]++
		}
	}
	carried := map[string]bool{}
	for _, e := range l.Early {
		if e.Amount != nil {
			carried[e.Amount.Decimal().Trim(0).String()] = true
		}
	}
	shown := c.showsRefunds(refunds)
	var out []settlement
	for _, d := range doubts {
		k := amountOf(d.LedgerEntry)
		switch {
		case carried[k]:
		case len(refunds[k]) == 1 && rivals[k] == 1 && d.AskedAt.Before(markedAt):
			out = append(out, settlement{d, refunds[k][0].Ref})
		case len(refunds[k]) == 0 && shown && d.AskedAt.After(l.Since) && d.Seq <= l.LedgerBefore && d.At.Add(settleAge).Before(markedAt):
			out = append(out, settlement{d, ""})
		}
	}
	return out
}

// refundRows are the refunds of the report that are nothing of ours so far, by their amount.
func (c *comparison) refundRows() map[string][]row {
	rows := map[string][]row{}
	for _, r := range c.unmatched {
		if r.Amount.Sign() < 0 {
			k := r.Amount.Trim(0).String()
			rows[k] = append(rows[k], r)
		}
	}
	return rows
}

// showsRefunds says that the absence of a refund from this report means something. How refunds are reported is not
// documented, so the report has to show it: it has one that we knew by its reference before the mark, it contradicts our
// ledger in nothing, it has all of ours that belongs to its period, and no refund of ours has been left out of all reports.
func (c *comparison) showsRefunds(rows map[string][]row) bool {
	shown := false
	for _, it := range c.items {
		switch {
		case it.before || it.Seq > c.ledger.LedgerBefore:
			continue // of an earlier report, or of the next one, or known only by this one
		case it.found:
			shown = shown || it.IsRefund()
		case it.IsRefund() && it.ErsReference == "" && len(rows[amountOf(it.LedgerEntry)]) > 0:
			continue // it may be that row
		case it.IsRefund() || !it.outstanding:
			return false
		}
	}
	return shown && c.lines.total == 0
}

func amountOf(e events.LedgerEntry) string { return e.Signed().Decimal().Trim(0).String() }

// recordSettlements records what the report proves, and says whether that was anything.
func (w *Worker) recordSettlements(ctx context.Context, p events.Period, all []settlement) (recorded bool, err error) {
	for _, s := range all {
		why := fmt.Sprintf("the report of period %s has this refund", p.TransactionPeriodID)
		if s.ErsReference == "" {
			why = fmt.Sprintf("the report of period %s, marked at %s, has no such refund", p.TransactionPeriodID, p.MarkedAt.Format(time.RFC3339))
		}
		fact := events.Fact{At: w.Bus.Now(), Why: why, By: Name}
		_, err := w.Bus.Update(ctx, Name, events.KeyOf(s.Shop, s.InvoiceID), bus.IfAllowed(func(i events.Invoice) (events.Invoice, error) {
			if r, _ := i.Refund(s.RefundID); r.Status == events.RefundWaiting {
				return i, bus.ErrNothing // it is tried again: that it has not happened yet is known
			}
			after, err := i.RefundSettled(s.RefundID, s.ErsReference != "", s.ErsReference, fact)
			recorded = recorded || err == nil
			return after, err
		}))
		if err != nil {
			return recorded, err
		}
	}
	return recorded, nil
}
