package audit

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

var d = decimal.MustParse

// ledger is what the provider has of the invoice that life gives.
func ledger() sandbox.Ledger {
	return sandbox.Ledger{
		Invoices: []sandbox.Invoice{{InvoiceReference: "invoice-1", Status: sandbox.Paid, ErsReference: "ers-1", Currency: "SEK", Total: d("10.00")}},
		Payments: []sandbox.Payment{{InvoiceReference: "invoice-1", ErsReference: "ers-1", Currency: "SEK", Amount: d("10.00")}},
		Refunds:  []sandbox.Refund{{InvoiceReference: "invoice-1", ErsReference: "ers-2", Amount: d("3.00")}},
		Receipts: []sandbox.Receipt{{InvoiceReference: "invoice-1"}},
	}
}

func TestCompareFindsEachDifference(t *testing.T) {
	l := life(t)
	refund := func(status events.RefundStatus) events.Invoice {
		return with(l[4], func(i *events.Invoice) { i.Refunds[0].Status = status })
	}
	for name, c := range map[string]struct {
		ours   events.Invoice
		change func(*sandbox.Ledger)
		want   []Kind
	}{
		"none":               {l[4], func(*sandbox.Ledger) {}, nil},
		"reversed":           {l[4], func(l *sandbox.Ledger) { l.Reversals = []sandbox.Reversal{{ErsReference: "ers-1"}} }, []Kind{Reversal}},
		"no invoice there":   {l[4], func(l *sandbox.Ledger) { *l = sandbox.Ledger{} }, []Kind{Payment}},
		"another amount":     {l[4], func(l *sandbox.Ledger) { l.Invoices[0].Total = d("11") }, []Kind{Payment}},
		"another currency":   {l[4], func(l *sandbox.Ledger) { l.Invoices[0].Currency = "EUR" }, []Kind{Payment}},
		"not paid there":     {l[4], func(l *sandbox.Ledger) { l.Payments = nil }, []Kind{Payment}},
		"reversed there":     {l[4], func(l *sandbox.Ledger) { l.Payments[0].ReversedAt = time.Unix(1, 0) }, []Kind{Payment}},
		"paid twice there":   {l[4], func(l *sandbox.Ledger) { l.Payments = append(l.Payments, l.Payments[0]) }, []Kind{Payment}},
		"not paid here":      {l[0], func(l *sandbox.Ledger) { l.Refunds, l.Receipts = nil, nil }, []Kind{Payment}},
		"another payment":    {l[4], func(l *sandbox.Ledger) { l.Payments[0].ErsReference = "ers-9" }, []Kind{Payment}},
		"less paid there":    {l[4], func(l *sandbox.Ledger) { l.Payments[0].Amount = d("9.99") }, []Kind{Payment}},
		"paid in other coin": {l[4], func(l *sandbox.Ledger) { l.Payments[0].Currency = "EUR" }, []Kind{Payment}},
		"another end": {l[0], func(l *sandbox.Ledger) {
			*l = sandbox.Ledger{Invoices: l.Invoices}
			l.Invoices[0].Status = sandbox.Canceled
		},
			[]Kind{Status}},
		"refunded twice there":                       {l[4], func(l *sandbox.Ledger) { l.Refunds = append(l.Refunds, l.Refunds[0]) }, []Kind{Refund}},
		"not refunded there":                         {l[4], func(l *sandbox.Ledger) { l.Refunds = nil }, []Kind{Refund}},
		"other refund":                               {l[4], func(l *sandbox.Ledger) { l.Refunds[0].Amount = d("4") }, []Kind{Refund, Refund}},
		"other reference":                            {l[4], func(l *sandbox.Ledger) { l.Refunds[0].ErsReference = "ers-9" }, []Kind{Refund, Refund}},
		"refund under way":                           {refund(events.RefundSending), func(l *sandbox.Ledger) { l.Refunds = nil }, []Kind{Refund}},
		"refund failed here":                         {refund(events.RefundFailed), func(*sandbox.Ledger) {}, []Kind{Refund}},
		"refund unknown":                             {refund(events.RefundUnknown), func(*sandbox.Ledger) {}, nil},
		"unknown and not made":                       {refund(events.RefundUnknown), func(l *sandbox.Ledger) { l.Refunds = nil }, nil},
		"refund that was proved without a reference": {with(l[4], func(i *events.Invoice) { i.Refunds[0].ErsReference = "" }), func(*sandbox.Ledger) {}, nil},
		"no receipt there":                           {l[4], func(l *sandbox.Ledger) { l.Receipts = nil }, []Kind{Receipt}},
		"no receipt here":                            {l[1], func(l *sandbox.Ledger) { l.Refunds = nil }, []Kind{Receipt}},
		"unrecorded and unpaid":                      {l[4], func(l *sandbox.Ledger) { l.Invoices = append(l.Invoices, sandbox.Invoice{InvoiceReference: "2"}) }, nil},
		"unrecorded and paid": {l[4], func(l *sandbox.Ledger) {
			l.Payments = append(l.Payments, sandbox.Payment{InvoiceReference: "2"})
		}, []Kind{Payment}},
		"unrecorded and refunded": {l[4], func(l *sandbox.Ledger) {
			l.Refunds = append(l.Refunds, sandbox.Refund{InvoiceReference: "2"})
		}, []Kind{Payment}},
	} {
		l := ledger()
		c.change(&l)
		var got []Kind
		comparison := Compare(l, map[events.Key]events.Invoice{c.ours.Key(): c.ours})
		for _, d := range comparison.Differences {
			got = append(got, d.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, expected %v", name, comparison.Differences, c.want)
		}
	}
}

func TestCompareCountsWhatIsUnknownAndUnrecorded(t *testing.T) {
	ours := with(life(t)[4], func(i *events.Invoice) { i.Refunds[0].Status = events.RefundUnknown })
	l := ledger()
	l.Invoices = append(l.Invoices, sandbox.Invoice{InvoiceReference: "2"})
	c := Compare(l, map[events.Key]events.Invoice{ours.Key(): ours})
	if !slices.Equal(c.Unknown, []events.Key{ours.Key()}) || c.Unrecorded != 1 {
		t.Errorf("%+v", c)
	}
}

// An invoice whose time was over is EXPIRED here and CANCELED there: the canceler withdrew it.
func TestExpiredInvoiceIsCanceledAtTheProvider(t *testing.T) {
	ours := with(life(t)[0], func(i *events.Invoice) { i.State = events.Expired })
	l := sandbox.Ledger{Invoices: ledger().Invoices}
	l.Invoices[0].Status = sandbox.Canceled
	if c := Compare(l, map[events.Key]events.Invoice{ours.Key(): ours}); len(c.Differences) > 0 {
		t.Error(c.Differences)
	}
}

func TestBalancesShowEachDifferenceOfBothSides(t *testing.T) {
	invoices := map[events.Key]events.Invoice{}
	for _, i := range []events.Invoice{
		{InvoiceID: "1", State: events.Receipted, Currency: "SEK", Total: amount("100.00"), Refunded: amount("30.00")},
		{InvoiceID: "2", State: events.Expired, Currency: "SEK", Total: amount("7.00")},
		{InvoiceID: "3", State: events.Paid, Currency: "EUR", Total: amount("5.00")},
		{InvoiceID: "4", State: events.Canceled},
	} {
		i.Shop = "a"
		invoices[i.Key()] = i
	}
	got := Balances(sandbox.Ledger{
		Payments: []sandbox.Payment{
			{Terminal: "t", Currency: "SEK", Amount: d("100.00")},
			{Terminal: "t", Currency: "EUR", Amount: d("5.00")},
			{Terminal: "other", Currency: "EUR", Amount: d("1.00")},
		},
		Refunds:   []sandbox.Refund{{Terminal: "t", Currency: "SEK", Amount: d("30.00")}},
		Reversals: []sandbox.Reversal{{Terminal: "t", Currency: "EUR", Amount: d("5.00")}},
	}, invoices, map[string]string{"t": "a"})
	want := []Balance{
		{"a", "EUR", amount("5.00"), amount("0"), amount("5.00"), amount("0.00"), amount("5.00")},
		{"a", "SEK", amount("100.00"), amount("30.00"), amount("70.00"), amount("70.00"), amount("0.00")},
		{"terminal other", "EUR", amount("0"), amount("0"), amount("0"), amount("1.00"), amount("-1.00")},
	}
	same := cmp.Comparer(func(a, b events.Amount) bool { return a.Cmp(b) == 0 })
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}
