package procs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// life is an invoice that was issued, paid, receipted and paid back in part.
func life(t *testing.T) []events.Invoice {
	t.Helper()
	o, f := rig.Order("1", "10"), events.Fact{Why: "so it is"}
	third := events.Refund{RefundID: "r1", Amount: rig.Amount("3")}
	var all []events.Invoice
	for _, next := range []func(events.Invoice) (events.Invoice, error){
		func(i events.Invoice) (events.Invoice, error) {
			return i.IssuedAs(o, events.ProviderInvoice{Reference: "bill-1"}, f)
		},
		func(i events.Invoice) (events.Invoice, error) { return i.PaidWith("ers-1", "poller", f) },
		func(i events.Invoice) (events.Invoice, error) { return i.ReceiptedWith(events.Receipt{}, f) },
		func(i events.Invoice) (events.Invoice, error) { return i.Refunding(third, f) },
		func(i events.Invoice) (events.Invoice, error) { return i.RefundedAs("r1", "ers-2", f) },
	} {
		var before events.Invoice
		if len(all) > 0 {
			before = all[len(all)-1]
		}
		inv, err := next(before)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, inv)
	}
	return all
}

// stored is an event as it lies in the stream, decided after another sequence.
func stored(t *testing.T, seq uint64, after string, inv events.Invoice) bus.Entry {
	t.Helper()
	e, err := events.NewEnvelope("id", "/test", "invoice."+string(inv.Change.Event), "", time.Time{}, inv)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return bus.Entry{Seq: seq, Message: events.Message{Subject: inv.Key().Subject(inv.Change.Event), Body: body,
		Header: map[string][]string{jetstream.ExpectedLastSubjSeqHeader: {after}}}}
}

func TestHistoryFindsWhatMayNotStandWhereItDoes(t *testing.T) {
	l := life(t)
	forgetful := l[4]
	forgetful.Receipts = nil
	other := l[2]
	other.ErsReference = "ers-9"
	for name, c := range map[string]struct {
		stream []bus.Entry
		wrong  string
	}{
		"a whole life":            {[]bus.Entry{stored(t, 1, "0", l[0]), stored(t, 3, "1", l[1]), stored(t, 4, "3", l[2]), stored(t, 7, "4", l[3]), stored(t, 8, "7", l[4])}, ""},
		"the same decision twice": {[]bus.Entry{stored(t, 1, "0", l[0]), stored(t, 2, "1", l[1]), stored(t, 3, "1", l[1])}, "was decided after [1], and stands after 2"},
		"paid twice":              {[]bus.Entry{stored(t, 1, "0", l[0]), stored(t, 2, "1", l[1]), stored(t, 3, "2", l[1])}, "paid was decided from ISSUED, but stands after PAID"},
		"an event is lost":        {[]bus.Entry{stored(t, 1, "0", l[0]), stored(t, 3, "1", l[2])}, "receipted leads from ISSUED"},
		"a receipt is forgotten":  {[]bus.Entry{stored(t, 1, "0", l[0]), stored(t, 2, "1", l[1]), stored(t, 3, "2", l[2]), stored(t, 4, "3", forgetful)}, "forgotten"},
		"another payment":         {[]bus.Entry{stored(t, 1, "0", l[0]), stored(t, 2, "1", l[1]), stored(t, 3, "2", other)}, "the payment ers-1 became ers-9"},
		"the stream goes back":    {[]bus.Entry{stored(t, 2, "0", l[0]), stored(t, 1, "0", l[1])}, "comes after 2"},
	} {
		h := newHistory()
		for _, m := range c.stream {
			h.take(m, time.Time{})
		}
		got := strings.Join(h.Wrong(), "\n")
		if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
			t.Errorf("%s: found %q; want %q", name, got, c.wrong)
		}
	}
}

func TestBooksFindEveryDifference(t *testing.T) {
	l := life(t)
	money := func(s string) sandbox.Payment { return sandbox.Payment{Amount: rig.Amount(s).Decimal()} }
	bill := sandbox.Invoice{InvoiceReference: "bill-1", Status: sandbox.Paid, ErsReference: "ers-1", Currency: "SEK", Total: money("10").Amount}
	refund := sandbox.Refund{InvoiceReference: "bill-1", ErsReference: "ers-2", Amount: money("3").Amount}
	twice, other := refund, refund
	twice.ErsReference, other.Amount = "ers-3", money("4").Amount
	canceled, unseen := bill, bill
	canceled.Status, unseen.InvoiceReference = sandbox.Canceled, "bill-2"
	receipts := []sandbox.Receipt{{InvoiceReference: "bill-1"}}
	for name, c := range map[string]struct {
		ledger sandbox.Ledger
		wrong  string
	}{
		"they agree":         {sandbox.Ledger{Invoices: []sandbox.Invoice{bill}, Refunds: []sandbox.Refund{refund}, Receipts: receipts}, ""},
		"paid back twice":    {sandbox.Ledger{Invoices: []sandbox.Invoice{bill}, Refunds: []sandbox.Refund{refund, twice}, Receipts: receipts}, "paid back twice?"},
		"not paid back":      {sandbox.Ledger{Invoices: []sandbox.Invoice{bill}, Receipts: receipts}, `our refund "r1" of 3`},
		"another amount":     {sandbox.Ledger{Invoices: []sandbox.Invoice{bill}, Refunds: []sandbox.Refund{other}, Receipts: receipts}, "of 4"},
		"not paid there":     {sandbox.Ledger{Invoices: []sandbox.Invoice{canceled}, Refunds: []sandbox.Refund{refund}, Receipts: receipts}, "the provider says CANCELED"},
		"no bill there":      {sandbox.Ledger{}, "the provider has no bill"},
		"paid there, unseen": {sandbox.Ledger{Invoices: []sandbox.Invoice{bill, unseen}, Refunds: []sandbox.Refund{refund}, Receipts: receipts}, "we know nothing of it"},
		"no receipt there":   {sandbox.Ledger{Invoices: []sandbox.Invoice{bill}, Refunds: []sandbox.Refund{refund}}, "the provider has 0 receipts"},
		"reversed": {sandbox.Ledger{Invoices: []sandbox.Invoice{bill}, Refunds: []sandbox.Refund{refund}, Receipts: receipts,
			Reversals: []sandbox.Reversal{{ErsReference: "ers-1"}}}, "payment ers-1 of  was reversed"},
	} {
		got := strings.Join(Compare(c.ledger, map[events.Key]events.Invoice{l[4].Key(): l[4]}).Differences, "\n")
		if (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
			t.Errorf("%s: found %q; want %q", name, got, c.wrong)
		}
	}
}

func TestPollsKnowTheLongestGapOfAnOpenInvoice(t *testing.T) {
	p := newPolls()
	p.issued("seen")
	p.issued("unseen")
	p.open["seen"].last = p.open["seen"].last.Add(-time.Minute)
	p.answered("seen", "ISSUED")
	if open, waiting := p.Open(time.Now().Add(time.Hour)); open != 1 || waiting != 1 {
		t.Errorf("%d open, %d waiting; want 1 and 1", open, waiting)
	}
	p.answered("seen", "PAID")
	p.answered("seen", "PAID")
	g := p.Longest()
	polls, longer := p.Count(59 * time.Second)
	if g.Reference != "seen" || g.Length < time.Minute || g.Length > 2*time.Minute || polls != 3 || longer != 1 {
		t.Errorf("longest %+v, %d polls, %d longer than 59 s", g, polls, longer)
	}
	if open, _ := p.Open(time.Now()); open != 0 {
		t.Errorf("%d open after PAID", open)
	}
}
