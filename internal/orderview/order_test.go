package orderview_test

import (
	"strings"
	"testing"

	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// tries makes an order of which each try is described by the state of its invoice: "" for none, a state, or "late" or "late refunded".
func tries(states ...string) orderview.Order {
	o := orderview.Order{Shop: rig.Shop, ID: "1001"}
	for i, s := range states {
		t := orderview.Try{InvoiceID: "1001", Order: rig.Order("1001", "10")}
		if i > 0 {
			t.InvoiceID += "-" + string(rune('1'+i))
			t.Order.InvoiceID = t.InvoiceID
		}
		t.Invoice.State = events.State(s)
		switch s {
		case "late":
			t.Invoice.State, t.Invoice.Late = events.Paid, true
		case "late refunded":
			t.Invoice.State, t.Invoice.Late = events.Refunded, true
		}
		o.Tries = append(o.Tries, t)
	}
	return o
}

func TestWhichTryCountsAndWhetherThereMayBeAnother(t *testing.T) {
	for _, c := range []struct {
		states        string
		current, next string
	}{
		{"", "1001", ""},
		{"ISSUED", "1001", ""},
		{"RESERVED", "1001", ""},
		{"PAID", "1001", ""},
		{"REFUNDED", "1001", ""},
		{"CANCELED", "1001", "1001-2"},
		{"REJECTED", "1001", "1001-2"},
		{"late", "1001", ""},
		{"late refunded", "1001", "1001-2"},
		{"EXPIRED,", "1001-2", ""},
		{"EXPIRED,ISSUED", "1001-2", ""},
		{"EXPIRED,FAILED", "1001-2", "1001-3"},
		{"PAID,ISSUED", "1001", ""},
		{"ISSUED,CANCELED", "1001", ""},
		{"late,ISSUED", "1001-2", ""},
		{"late refunded,ISSUED", "1001-2", ""},
		{"late refunded,CANCELED", "1001-2", "1001-3"},
		{"REFUNDED,CANCELED", "1001", ""},
		{"PAID,PAID", "1001-2", ""},
		{"CANCELED,RECEIPTED,REFUNDED", "1001-2", ""},
		{strings.Repeat("FAILED,", 7) + "FAILED", "1001-8", "1001-9"},
		{strings.Repeat("FAILED,", orderview.MaxTries-1) + "FAILED", "1001-" + string(rune('1'+orderview.MaxTries-1)), ""},
	} {
		o := tries(strings.Split(c.states, ",")...)
		next, ok := o.NextTry()
		if got := o.Current().InvoiceID; got != c.current || ok != (c.next != "") || ok && next.InvoiceID != c.next {
			t.Errorf("%s: current %q, next %q %v; expected %q and %q", c.states, got, next.InvoiceID, ok, c.current, c.next)
		}
	}
}

func TestAnOrderGoesOnByAnotherTry(t *testing.T) {
	for states, want := range map[string]bool{
		"CANCELED": false, "CANCELED,": true, "CANCELED,ISSUED": true, "CANCELED,RECEIPTED": true, "CANCELED,REFUNDED": true, "CANCELED,late": true,
		"CANCELED,FAILED": false, "CANCELED,late refunded": false, "CANCELED,FAILED,ISSUED": true, "ISSUED": false, "PAID,EXPIRED": false,
	} {
		if got := tries(strings.Split(states, ",")...).GoesOn("1001"); got != want {
			t.Errorf("%s: %v", states, got)
		}
	}
	if !tries("ISSUED", "CANCELED").GoesOn("1001-2") {
		t.Error("the first is open when the second ends")
	}
}

func TestThereIsNoOtherTryOfAnOrderThatWasWithdrawnOrIsNotKnown(t *testing.T) {
	o := tries("CANCELED")
	o.Withdrawn = true
	if next, ok := o.NextTry(); ok {
		t.Errorf("withdrawn, and all the same: %+v", next)
	}
	o = tries("CANCELED")
	o.Tries[0].Order = events.Order{}
	if next, ok := o.NextTry(); ok {
		t.Errorf("nothing is known of its rows, and all the same: %+v", next)
	}
	o = tries("CANCELED")
	o.ID = strings.Repeat("x", events.MaxID-1)
	if next, ok := o.NextTry(); ok {
		t.Errorf("the invoiceId is longer than one may be, and all the same: %+v", next)
	}
}

func TestApplyTakesWhatIsNewerAndOfTheOrder(t *testing.T) {
	o := tries("ISSUED")
	invoice := func(order, id string, s events.State) events.Invoice {
		return events.Invoice{Shop: rig.Shop, OrderID: order, InvoiceID: id, State: s}
	}
	paid, news := o.Apply(orderview.Change{Invoice: invoice("1001", "1001", events.Paid), Seq: 7})
	if !news || paid.Tries[0].Invoice.State != events.Paid || o.Tries[0].Invoice.State != events.Issued {
		t.Errorf("%v %+v; the order it came from: %+v", news, paid, o)
	}
	for name, c := range map[string]orderview.Change{
		"older":         {Invoice: invoice("1001", "1001", events.Issued), Seq: 6},
		"the same":      {Invoice: invoice("1001", "1001", events.Issued), Seq: 7},
		"another order": {Invoice: invoice("1002", "1001", events.Canceled), Seq: 8},
	} {
		if after, news := paid.Apply(c); news || after.Tries[0].Invoice.State != events.Paid {
			t.Errorf("%s changed it: %+v", name, after)
		}
	}
	more, news := paid.Apply(orderview.Change{Invoice: invoice("1001", "1001-b", events.Issued), Seq: 9})
	if !news || len(more.Tries) != 2 || len(paid.Tries) != 1 {
		t.Errorf("another try: %v %+v", news, more)
	}
}
