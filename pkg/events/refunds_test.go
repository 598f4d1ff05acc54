package events_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

func amountOf(t interface{ Fatal(...any) }, s string) events.Amount {
	a, err := events.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// paidOf10 is an invoice of 10 that is paid and has one refund "r" of 4 with the status; none for "".
func paidOf10(t *testing.T, status events.RefundStatus) events.Invoice {
	t.Helper()
	inv := events.Invoice{Shop: "acme", InvoiceID: "1", OrderID: "1", State: events.Paid, Currency: "SEK", Total: amountOf(t, "10")}
	steps := map[events.RefundStatus][]func() (events.Invoice, error){}
	asked := func() (events.Invoice, error) {
		return inv.Refunding(events.Refund{RefundID: "r", Amount: amountOf(t, "4")}, fact("intent"))
	}
	steps[events.RefundSending] = []func() (events.Invoice, error){asked}
	steps[events.RefundWaiting] = []func() (events.Invoice, error){asked, func() (events.Invoice, error) { return inv.RefundNotSent("r", 1, fact("busy")) }}
	steps[events.RefundUnknown] = []func() (events.Invoice, error){asked, func() (events.Invoice, error) { return inv.RefundInDoubt("r", fact("no answer")) }}
	steps[events.RefundDone] = []func() (events.Invoice, error){asked, func() (events.Invoice, error) { return inv.RefundedAs("r", "ers", fact("0")) }}
	steps[events.RefundFailed] = []func() (events.Invoice, error){func() (events.Invoice, error) {
		return inv.RefundRefused(events.Refund{RefundID: "r", Amount: amountOf(t, "4")}, fact("refused"))
	}}
	for _, step := range steps[status] {
		next, err := step()
		if err != nil {
			t.Fatal(err)
		}
		inv = next
	}
	return inv
}

var refundStatuses = []events.RefundStatus{"", events.RefundSending, events.RefundWaiting, events.RefundUnknown, events.RefundDone, events.RefundFailed}

func TestRefundIsSettledWhileItIsOpen(t *testing.T) {
	for _, status := range refundStatuses {
		for _, happened := range []bool{true, false} {
			inv := paidOf10(t, status)
			after, err := inv.RefundSettled("r", happened, "ers-1", fact("a person has looked"))
			if status == "" || status == events.RefundDone || status == events.RefundFailed {
				if !errors.Is(err, events.ErrNotAllowed) {
					t.Errorf("%q was settled: %v", status, err)
				}
				continue
			}
			want, refunded := events.RefundFailed, "0"
			if happened {
				want, refunded = events.RefundDone, "4"
			}
			r, _ := after.Refund("r")
			if err != nil || r.Status != want || !after.ReservedForRefunds.IsZero() || after.Refunded.String() != refunded {
				t.Errorf("%q, happened %v: %s with %s refunded and %s held, %v", status, happened, r.Status, after.Refunded, after.ReservedForRefunds, err)
			}
		}
	}
}

func TestRefundIsDoubtedBeforeItIsDecided(t *testing.T) {
	for _, status := range refundStatuses {
		before := paidOf10(t, status)
		after, err := before.RefundDoubted(events.Refund{RefundID: "r", Amount: amountOf(t, "4")}, fact("restored from a backup"))
		if status == events.RefundUnknown || status == events.RefundDone || status == events.RefundFailed {
			if !errors.Is(err, events.ErrNotAllowed) {
				t.Errorf("%q was doubted: %v", status, err)
			}
			continue
		}
		r, _ := after.Refund("r")
		if err != nil || r.Status != events.RefundUnknown || !r.InDoubt || r.Detail != "restored from a backup" || r.AskedAt.IsZero() ||
			after.ReservedForRefunds.String() != "4" || after.Change.Event != events.EventRefundUnknown || after.Change.RefundID != "r" || len(after.Refunds) != 1 {
			t.Errorf("%q: %+v with %s held by %+v, %v", status, r, after.ReservedForRefunds, after.Change, err)
		}
	}
	for _, amount := range []string{"0", "-1", "10.01"} {
		if _, err := paidOf10(t, "").RefundDoubted(events.Refund{RefundID: "r", Amount: amountOf(t, amount)}, fact("restored")); !errors.Is(err, events.ErrNotAllowed) {
			t.Errorf("%s of 10 was reserved: %v", amount, err)
		}
	}
	if _, err := (events.Invoice{State: events.Canceled}).RefundDoubted(events.Refund{RefundID: "r", Amount: amountOf(t, "1")}, fact("restored")); !errors.Is(err, events.ErrNotAllowed) {
		t.Errorf("a refund of an invoice that was not paid: %v", err)
	}
}

// Whatever the order of the facts: what is refunded and reserved never exceeds the total, both are the sums
// of the refunds, and a refund that is done stays done. (A refund that failed and turns out done is recorded
// even beyond the total: it happened.)
func TestRefundsNeverExceedTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inv := events.Invoice{Shop: "acme", InvoiceID: "1001", OrderID: "1001", State: events.Paid, Currency: "SEK", Total: amountOf(t, "10")}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "refund")
			r := events.Refund{RefundID: id, Amount: amountOf(t, rapid.SampledFrom([]string{"0.01", "3", "5", "10", "11"}).Draw(t, "amount"))}
			f := events.Fact{At: noon.Add(time.Hour), Why: "drawn"}
			before, _ := inv.Refund(id)
			what := rapid.SampledFrom([]string{"refunding", "not sent", "refunded", "refused", "in doubt", "doubted", "settled", "settled not"}).Draw(t, "fact")
			if what == "refunded" && before.Status == events.RefundFailed {
				continue
			}
			next, err := refundStep(what, inv, r, f)
			if err != nil {
				if !errors.Is(err, events.ErrNotAllowed) {
					t.Fatal(err)
				}
				continue
			}
			inv = next
			after, _ := inv.Refund(id)
			if before.Status == events.RefundDone {
				t.Fatalf("a refund that is done became %s", after.Status)
			}
			checkRefundSums(t, inv)
		}
	})
}

func refundStep(what string, inv events.Invoice, r events.Refund, f events.Fact) (events.Invoice, error) {
	switch what {
	case "refunding":
		return inv.Refunding(r, f)
	case "not sent":
		return inv.RefundNotSent(r.RefundID, r.Attempts, f)
	case "refunded":
		return inv.RefundedAs(r.RefundID, "ers", f)
	case "refused":
		return inv.RefundRefused(r, f)
	case "in doubt":
		return inv.RefundInDoubt(r.RefundID, f)
	case "doubted":
		return inv.RefundDoubted(r, f)
	}
	return inv.RefundSettled(r.RefundID, what == "settled", "ers", f)
}

func checkRefundSums(t *rapid.T, inv events.Invoice) {
	t.Helper()
	var done, reserved events.Amount
	for _, r := range inv.Refunds {
		switch {
		case r.Status == events.RefundDone:
			done = done.Add(r.Amount)
		case r.Open():
			reserved = reserved.Add(r.Amount)
		}
	}
	if inv.Refunded.Cmp(done) != 0 || inv.ReservedForRefunds.Cmp(reserved) != 0 || done.Add(reserved).Cmp(inv.Total) > 0 {
		t.Fatalf("%s refunded and %s held of %s: %+v", inv.Refunded, inv.ReservedForRefunds, inv.Total, inv.Refunds)
	}
}
