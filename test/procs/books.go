package procs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Books are the two sides that must agree, and what came of comparing them.
type Books struct {
	Ledger      sandbox.Ledger
	Last        map[events.Key]events.Invoice
	Differences []string
	InDoubt     []events.Key // refunds that a person has to settle: the provider may have made them or not
	Orphans     int          // bills at the provider that were published nowhere
}

// Compare what our last events say with the provider's ledger, to the last digit.
func Compare(l sandbox.Ledger, last map[events.Key]events.Invoice) Books {
	b := Books{Ledger: l, Last: last}
	bills := map[string]sandbox.Invoice{}
	for _, i := range l.Invoices {
		bills[i.InvoiceReference] = i
	}
	for _, r := range l.Reversals {
		b.differ("payment %s of %s was reversed at %s: %s", r.ErsReference, r.ClientInvoiceID, r.At.Format("15:04:05.000"), r.Reason)
	}
	for _, k := range slices.SortedFunc(maps.Keys(last), func(x, y events.Key) int { return compareText(x.String(), y.String()) }) {
		inv := last[k]
		if inv.InvoiceReference == "" {
			continue
		}
		bill, ok := bills[inv.InvoiceReference]
		if !ok {
			b.differ("%s: the provider has no bill %s", k, inv.InvoiceReference)
			continue
		}
		delete(bills, inv.InvoiceReference)
		b.bill(k, inv, bill)
		b.refunds(k, inv)
		b.receipts(k, inv)
	}
	for _, bill := range bills {
		if b.Orphans++; bill.Status == sandbox.Paid || bill.ErsReference != "" {
			b.differ("bill %s of %s is %s, and we know nothing of it", bill.InvoiceReference, bill.ClientInvoiceID, bill.Status)
		}
	}
	return b
}

func compareText(x, y string) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (b *Books) differ(format string, args ...any) {
	b.Differences = append(b.Differences, fmt.Sprintf(format, args...))
}

func (b *Books) bill(k events.Key, inv events.Invoice, bill sandbox.Invoice) {
	want := string(bill.Status)
	got := string(inv.State)
	if inv.State.Paid() {
		got = "PAID"
	}
	if inv.State == events.Expired && bill.Status == sandbox.Canceled {
		got = want // our word for a bill that we withdrew because its time was over
	}
	if got != want || inv.ErsReference != bill.ErsReference {
		b.differ("%s: the provider says %s %q, we say %s %q", k, want, bill.ErsReference, inv.State, inv.ErsReference)
	}
	if inv.Currency != bill.Currency || inv.Total.Decimal().Cmp(bill.Total) != 0 {
		b.differ("%s: the provider says %s %s, we say %s %s", k, bill.Total, bill.Currency, inv.Total, inv.Currency)
	}
}

// refunds holds every refund of the ledger against one of ours. One in doubt may be there or not.
func (b *Books) refunds(k events.Key, inv events.Invoice) {
	theirs := map[string]sandbox.Refund{}
	for _, r := range b.Ledger.Refunds {
		if r.InvoiceReference == inv.InvoiceReference {
			theirs[r.ErsReference] = r
		}
	}
	var unnamed, doubtful []events.Refund
	for _, r := range inv.Refunds {
		switch {
		case r.Status == events.RefundUnknown:
			doubtful, b.InDoubt = append(doubtful, r), append(b.InDoubt, k)
		case r.Status != events.RefundDone && r.Status != events.RefundFailed:
			b.differ("%s: refund %q is still %s", k, r.RefundID, r.Status)
		case r.Status == events.RefundDone && r.ErsReference == "":
			unnamed = append(unnamed, r)
		case r.Status == events.RefundDone:
			their, ok := theirs[r.ErsReference]
			if !ok || their.Amount.Cmp(r.Amount.Decimal()) != 0 {
				b.differ("%s: our refund %q of %s is %s of %s at the provider", k, r.RefundID, r.Amount, their.ErsReference, their.Amount)
			}
			delete(theirs, r.ErsReference)
		}
	}
	for _, r := range unnamed { // proved by the provider's cap, which names none
		if !takeOne(theirs, r) {
			b.differ("%s: our refund %q of %s is not at the provider", k, r.RefundID, r.Amount)
		}
	}
	for _, r := range doubtful {
		takeOne(theirs, r)
	}
	for _, r := range theirs {
		b.differ("%s: the provider's refund %s of %s is not ours: paid back twice?", k, r.ErsReference, r.Amount)
	}
}

func takeOne(theirs map[string]sandbox.Refund, r events.Refund) bool {
	for ref, their := range theirs {
		if their.Amount.Cmp(r.Amount.Decimal()) == 0 {
			delete(theirs, ref)
			return true
		}
	}
	return false
}

func (b *Books) receipts(k events.Key, inv events.Invoice) {
	n := 0
	for _, r := range b.Ledger.Receipts {
		if r.InvoiceReference == inv.InvoiceReference {
			n++
		}
	}
	if inv.State.Paid() && (n == 0 || len(inv.Receipts) == 0) || n < len(inv.Receipts) {
		b.differ("%s: is %s, the provider has %d receipts, we have %d", k, inv.State, n, len(inv.Receipts))
	}
}

// Idle says who has work left: every worker's consumer that has not had and acknowledged everything. Each is asked for by
// its name: a cluster's list leaves out, without a word, a consumer whose leader does not answer.
func Idle(ctx context.Context, js jetstream.JetStream) (busy string) {
	for _, stream := range []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream, events.OpenStream} {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return fmt.Sprintf("stream %s: %v", stream, err)
		}
		names := s.ConsumerNames(ctx)
		for name := range names.Name() { // to its end, else its goroutine stays
			c, err := s.Consumer(ctx, name)
			switch {
			case err == nil:
				busy += unfinished(c.CachedInfo())
			case !errors.Is(err, jetstream.ErrConsumerNotFound): // a reader's own, which is gone
				busy += fmt.Sprintf("%s on %s: %v; ", name, stream, err)
			}
		}
		if err := names.Err(); err != nil {
			return fmt.Sprintf("consumers of %s: %v", stream, err)
		}
	}
	return busy
}

func unfinished(c *jetstream.ConsumerInfo) string {
	if c.Config.Durable == "" || c.NumPending == 0 && c.NumAckPending == 0 {
		return ""
	}
	return fmt.Sprintf("%s on %s: %d to come, %d in hand; ", c.Name, c.Stream, c.NumPending, c.NumAckPending)
}

// Parked counts what the workers could not handle.
func Parked(ctx context.Context, b *bus.Bus) (uint64, error) {
	return b.LastSeq(ctx, events.ParkedStream)
}
