package audit

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func amount(s string) events.Amount {
	a, err := events.ParseAmount(s)
	if err != nil {
		panic(err)
	}
	return a
}

// life gives an invoice after each of its events: issued, paid, receipted, refunding, refunded in part.
func life(t *testing.T) (after []events.Invoice) {
	t.Helper()
	f := events.Fact{At: time.Unix(1_700_000_000, 0), Why: "test"}
	o := events.Order{OrderID: "1", Shop: "acme", Currency: "SEK", Total: amount("10"),
		Rows: []events.Row{{Description: "Kaffe", Quantity: amount("1").Decimal(), Total: amount("10")}}}
	var inv events.Invoice
	for _, next := range []func(events.Invoice) (events.Invoice, error){
		func(i events.Invoice) (events.Invoice, error) {
			return i.IssuedAs(o, events.ProviderInvoice{Reference: "invoice-1", Terminal: "t", ValidFor: time.Hour}, f)
		},
		func(i events.Invoice) (events.Invoice, error) { return i.PaidWith("ers-1", "poller", f) },
		func(i events.Invoice) (events.Invoice, error) { return i.ReceiptedWith(events.Receipt{}, f) },
		func(i events.Invoice) (events.Invoice, error) {
			return i.Refunding(events.Refund{RefundID: "r1", Amount: amount("3")}, f)
		},
		func(i events.Invoice) (events.Invoice, error) { return i.RefundedAs("r1", "ers-2", f) },
	} {
		var err error
		if inv, err = next(inv); err != nil {
			t.Fatal(err)
		}
		after = append(after, inv)
	}
	return after
}

// stored is an event as INVOICES has it, decided after the message with the sequence loaded.
func stored(t *testing.T, seq uint64, loaded string, inv events.Invoice) bus.Entry {
	t.Helper()
	worker := events.RecordersOf(inv.Change.From, inv.Change.Event)[0]
	e, err := events.NewEnvelope("id", events.SourceOf(worker), "invoice."+string(inv.Change.Event), inv.Key().String(), time.Unix(1_700_000_000, 0), inv)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return bus.Entry{Seq: seq, Message: events.Message{Subject: inv.Key().Subject(inv.Change.Event), Body: body,
		Header: map[string][]string{jetstream.ExpectedLastSubjSeqHeader: {loaded}}}}
}

// with gives the invoice with a change that no worker would make.
func with(inv events.Invoice, change func(*events.Invoice)) events.Invoice {
	inv.Refunds = slices.Clone(inv.Refunds)
	change(&inv)
	return inv
}

func TestHistoryReportsEachRuleThatAnEventBreaks(t *testing.T) {
	l := life(t)
	whole := []bus.Entry{stored(t, 1, "0", l[0]), stored(t, 3, "1", l[1]), stored(t, 4, "3", l[2]), stored(t, 7, "4", l[3]), stored(t, 8, "7", l[4])}
	until := func(n int, then ...bus.Entry) []bus.Entry { return append(slices.Clone(whole[:n]), then...) }
	waiting := with(l[3], func(i *events.Invoice) { i.Refunds[0].Status = events.RefundWaiting })
	foreign := bus.Entry{Seq: 2, Message: events.Message{Subject: l[0].Key().Subject(events.EventPaid), Body: []byte("{}")}}
	for name, c := range map[string]struct {
		stream []bus.Entry
		want   string // "" when nothing is wrong
	}{
		"nothing":                       {whole, ""},
		"the same decision twice":       {until(2, stored(t, 4, "1", l[1])), "was decided after message [1], and follows message 3"},
		"no sequence":                   {until(1, bus.Entry{Seq: 3, Message: events.Message{Subject: whole[1].Subject, Body: whole[1].Body}}), "was decided after message [], and follows message 1"},
		"another state":                 {until(2, stored(t, 4, "3", l[1])), "paid was decided from ISSUED, and the state was PAID"},
		"not in the table":              {until(1, stored(t, 3, "1", l[2])), "receipted leads from ISSUED to ISSUED"},
		"paid twice":                    {until(2, stored(t, 4, "3", l[1])), "was paid before"},
		"another name than its subject": {until(1, bus.Entry{Seq: 3, Message: events.Message{Subject: l[0].Key().Subject(events.EventCanceled), Body: whole[1].Body, Header: whole[1].Header}}), "canceled"},
		"a foreign message":             {until(1, foreign), "not an event of ours"},
		"another invoice at the provider": {until(1, stored(t, 3, "1", with(l[1], func(i *events.Invoice) { i.InvoiceReference = "invoice-2" }))),
			"the provider's invoice invoice-1 became invoice-2"},
		"another payment":       {until(2, stored(t, 4, "3", with(l[2], func(i *events.Invoice) { i.ErsReference = "ers-9" }))), "the payment ers-1 became ers-9"},
		"a receipt forgotten":   {until(3, stored(t, 7, "4", with(l[3], func(i *events.Invoice) { i.Receipts = nil }))), "1 receipts became 0"},
		"a receipt too many":    {until(2, stored(t, 4, "3", with(l[2], func(i *events.Invoice) { i.Receipts = append(i.Receipts, i.Receipts[0]) }))), "0 receipts became 2"},
		"a refund forgotten":    {until(4, stored(t, 8, "7", with(l[4], func(i *events.Invoice) { i.Refunds = nil }))), "refund r1 was forgotten"},
		"a refund changed":      {until(4, stored(t, 8, "7", with(l[4], func(i *events.Invoice) { i.Refunds[0].Amount = amount("4") }))), "refund r1 of 3 became one of 4"},
		"a refund undone":       {until(5, stored(t, 9, "8", with(l[3], func(*events.Invoice) {}))), "refund r1 was done and became"},
		"a refund put in doubt": {until(3, stored(t, 7, "4", waiting), stored(t, 8, "7", with(l[3], func(i *events.Invoice) { i.Refunds[0].Status = events.RefundUnknown }))), "certainly not made"},
		"too much reserved":     {until(3, stored(t, 7, "4", with(l[3], func(i *events.Invoice) { i.ReservedForRefunds = amount("11") }))), "exceed the total of 10"},
		"the stream goes back":  {[]bus.Entry{stored(t, 2, "0", l[0]), stored(t, 1, "2", l[1])}, "comes after message 2"},
	} {
		h := newHistory()
		for _, m := range c.stream {
			h.add(m, false)
		}
		got := strings.Join(h.Problems, "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: reported %q, expected %q", name, got, c.want)
		}
	}
}

func TestForeignMessageIsNoPartOfTheHistory(t *testing.T) {
	l := life(t)
	h := newHistory()
	h.add(stored(t, 1, "0", l[0]), false)
	h.add(bus.Entry{Seq: 2, Message: events.Message{Subject: l[0].Key().Subject(events.EventPaid), Body: []byte("{}")}}, true)
	h.add(stored(t, 3, "2", l[1]), false) // a worker appends after the foreign message
	if got := h.Events[l[0].Key()]; len(h.Problems) > 0 || len(got) != 2 || got[1].Seq != 3 || got[1].Change.Event != events.EventPaid {
		t.Errorf("%v, %v", got, h.Problems)
	}
	h.add(stored(t, 4, "3", l[2]), true)
	if len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "can be taken for a worker's") {
		t.Errorf("a foreign message that passes for a worker's gives %v", h.Problems)
	}
}
