package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func amount(t *testing.T, s string) events.Amount {
	t.Helper()
	a, err := events.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The balance has to show every way in which the two ledgers can differ.
func TestBalancesHoldOurLedgerAgainstTheProviders(t *testing.T) {
	d := decimal.MustParse
	books := accounts{}
	books.ours(events.Invoice{Shop: "a", State: events.Receipted, Currency: "SEK", Total: amount(t, "100.00"), Refunded: amount(t, "30.00")})
	books.ours(events.Invoice{Shop: "a", State: events.Expired, Currency: "SEK", Total: amount(t, "7.00")})
	books.ours(events.Invoice{Shop: "a", State: events.Paid, Currency: "EUR", Total: amount(t, "5.00")})
	books.ours(events.Invoice{Shop: "a", State: events.Canceled})
	books.theirs(sandbox.Ledger{
		Payments: []sandbox.Payment{
			{Terminal: "t", Currency: "SEK", Amount: d("100.00")},
			{Terminal: "t", Currency: "EUR", Amount: d("5.00")},
			{Terminal: "other", Currency: "EUR", Amount: d("1.00")},
		},
		Refunds:   []sandbox.Refund{{Terminal: "t", Currency: "SEK", Amount: d("30.00")}},
		Reversals: []sandbox.Reversal{{Terminal: "t", Currency: "EUR", Amount: d("5.00"), At: time.Unix(0, 0)}},
	}, map[string]string{"t": "a"})
	want := []Balance{
		{"a", "EUR", amount(t, "5.00"), amount(t, "0"), amount(t, "5.00"), amount(t, "0.00"), amount(t, "5.00")},
		{"a", "SEK", amount(t, "100.00"), amount(t, "30.00"), amount(t, "70.00"), amount(t, "70.00"), amount(t, "0.00")},
		{"terminal other", "EUR", amount(t, "0"), amount(t, "0"), amount(t, "0"), amount(t, "1.00"), amount(t, "-1.00")},
	}
	same := cmp.Comparer(func(a, b events.Amount) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(want, books.list(), same); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyAFaultlessResultIsGood(t *testing.T) {
	good := Result{Orders: 1, Balances: []Balance{{Shop: "a"}}}
	if !good.Good() {
		t.Error("a faultless result is not good")
	}
	for name, r := range map[string]Result{
		"reversal":   {Reversals: 1},
		"unexpected": {Unexpected: []Unexpected{{"a/1", "PAID", "FAILED"}}},
		"difference": {Balances: []Balance{{Difference: amount(t, "0.01")}}},
	} {
		if r.Good() {
			t.Errorf("a result with a %s is good", name)
		}
	}
}
