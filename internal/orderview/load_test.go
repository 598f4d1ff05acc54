package orderview_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func load(t *testing.T, r *rig.Rig, order string) orderview.Order {
	t.Helper()
	o, err := orderview.Load(t.Context(), r.Bus, events.OrderKeyOf(rig.Shop, order), nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// record records events of an invoice as the workers would.
func record(r *rig.Rig, o events.Order, more ...bus.Decide) {
	r.T.Helper()
	fact := events.Fact{At: r.Bus.Now(), Why: "test"}
	issue := func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, events.ProviderInvoice{Terminal: "demo-terminal", Reference: "ref", ValidFor: 1e9}, fact)
	}
	rig.AppendEvents(r.T, r.Bus, o.Key(), append([]bus.Decide{issue}, more...)...)
}

func canceled(i events.Invoice) (events.Invoice, error) {
	return i.EndedBy(events.EventCanceled, "poller", events.Fact{Why: "test"})
}

func paid(i events.Invoice) (events.Invoice, error) {
	return i.PaidWith("ers", "poller", events.Fact{Why: "test"})
}

func try(order, invoice string) events.Order {
	o := rig.Order(order, "10")
	o.InvoiceID = invoice
	return o
}

func TestLoadGivesTheOrderAndItsTries(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	first := rig.Order("1001", "10")
	first.BuyerKeyHash = strings.Repeat("a", 64)
	r.Place(first)
	record(r, first, canceled)
	r.Raw("orders.acme.1001.placed", []byte(`{"orderId":`)) // parked by the invoicer
	second := try("1001", "1001-2")
	second.BuyerKeyHash = strings.Repeat("b", 64)
	r.Place(second)
	r.Place(first) // a shop repeats itself
	record(r, second)
	r.Place(try("1001", "other")) // which is an invoice of another order
	record(r, try("1002", "other"))
	r.Place(try("1001", "1001-3"))
	r.CancelTry("1001", "1001-3")

	o := load(t, r, "1001")
	if len(o.Tries) != 3 || o.ID != "1001" || o.Shop != rig.Shop || o.Withdrawn || fmt.Sprint(o.BuyerKeyHashes) != fmt.Sprint([]string{first.BuyerKeyHash, second.BuyerKeyHash}) {
		t.Fatalf("%+v", o)
	}
	for i, want := range []struct {
		id    string
		state events.State
		asked bool
	}{{"1001", events.Canceled, false}, {"1001-2", events.Issued, false}, {"1001-3", "", true}} {
		if got := o.Tries[i]; got.InvoiceID != want.id || got.Invoice.State != want.state || got.CancelAsked != want.asked || got.Order.Total.String() != "10" {
			t.Errorf("try %d: %+v; expected %+v", i, got, want)
		}
	}
	if last, err := r.Bus.LastSeq(t.Context(), events.OrdersStream); err != nil || o.Seq != last {
		t.Errorf("sequence %d, %v; the order's last event has %d", o.Seq, err, last)
	}
}

func TestWhatIsNotThereOrNotAllowedIsUnknown(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Cancel("canceled-only")
	r.Raw("orders.acme.broken.placed", []byte(`{}`))
	r.Place(rig.Order("1001", "10"))
	r.Place(try("A", "B"))
	record(r, rig.Order("B", "10"))
	for _, order := range []string{"nothing", "canceled-only", "broken", "A"} {
		if o, err := orderview.Load(t.Context(), r.Bus, events.OrderKeyOf(rig.Shop, order), nil); !errors.Is(err, orderview.ErrUnknown) {
			t.Errorf("%s: %+v, %v", order, o, err)
		}
	}
	no := func(orderview.Order) bool { return false }
	if o, err := orderview.Load(t.Context(), r.Bus, events.OrderKeyOf(rig.Shop, "1001"), no); !errors.Is(err, orderview.ErrUnknown) {
		t.Errorf("not allowed: %+v, %v", o, err)
	}
}

// A shop's cancellation of the order stays, whatever the shop's system repeats afterwards; another invoiceId is a new wish.
func TestAnOrderIsWithdrawnUntilItIsPlacedUnderAnotherInvoiceID(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	expect := func(order string, withdrawn bool) {
		t.Helper()
		if o := load(t, r, order); o.Withdrawn != withdrawn {
			t.Errorf("%s: withdrawn %v, expected %v", order, o.Withdrawn, withdrawn)
		}
	}
	r.Cancel("early") // arrives first
	r.Place(rig.Order("early", "10"))
	expect("early", true)
	r.Place(rig.Order("1001", "10"))
	r.CancelTry("1001", "1001")
	expect("1001", false)
	r.Cancel("1001")
	expect("1001", true)
	r.Place(rig.Order("1001", "10"))
	expect("1001", true)
	r.Place(try("1001", "1001-b"))
	expect("1001", false)
	if o := load(t, r, "1001"); !o.Tries[0].CancelAsked || o.Tries[1].CancelAsked {
		t.Errorf("%+v", o.Tries)
	}
}

func TestLoadTakesAsFewRequestsOfALongStream(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	place := func(id string) {
		r.Place(rig.Order(id, "10"))
		record(r, rig.Order(id, "10"))
	}
	requests := func(order string) uint64 {
		before := r.Bus.Conn().Stats().OutMsgs
		load(t, r, order)
		return r.Bus.Conn().Stats().OutMsgs - before
	}
	place("first")
	few := requests("first")
	for i := range 300 {
		place(fmt.Sprint(i))
	}
	if many := requests("first"); few > 5 || many != few {
		t.Errorf("%d requests, and %d of a long stream", few, many)
	}
}

// PublishOrderAfter stores nothing when something else was said of the order meanwhile.
func TestATryIsPlacedOnce(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Place(rig.Order("1001", "10"))
	record(r, rig.Order("1001", "10"), canceled)
	place := func(o orderview.Order) error {
		next, ok := o.NextTry()
		if !ok {
			t.Fatalf("no other try of %+v", o)
		}
		return r.Bus.PublishOrderAfter(t.Context(), o.Seq, "/test", o.Shop, o.ID, nuid.Next(), events.Placed, next)
	}
	one, other := load(t, r, "1001"), load(t, r, "1001")
	r.Place(rig.Order("1002", "10")) // another order's events don't matter
	if err := place(one); err != nil {
		t.Fatal(err)
	}
	if err := place(other); !errors.Is(err, bus.ErrMovedOn) {
		t.Errorf("the second: %v", err)
	}
	if o := load(t, r, "1001"); len(o.Tries) != 2 || o.Current().InvoiceID != "1001-2" {
		t.Errorf("%+v", o)
	}
}

// Another try has an invoiceId of its own, also where the shop has used the next number itself: for a try of this order, or as the id of
// another order.
func TestAnotherTryHasAnInvoiceIDThatIsNotUsed(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Place(rig.Order("1001", "10"))
	record(r, rig.Order("1001", "10"), canceled)
	r.Place(try("1001", "1001-3"))
	record(r, try("1001", "1001-3"), canceled)
	r.Place(rig.Order("1001-4", "10"))
	record(r, rig.Order("1001-4", "10"))
	for _, want := range []string{"1001-4", "1001-5"} { // the first is another order's, which shows when it was placed
		next, ok := load(t, r, "1001").NextTry()
		if !ok || next.InvoiceID != want {
			t.Errorf("another try is %q, %v; expected %q", next.InvoiceID, ok, want)
		}
		r.Place(next)
	}
}

// A return is about the try that counts; one that names a try, and one of an order that is not known, stay as they are.
func TestAReturnNamesTheTryThatCounts(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	r.Place(rig.Order("1", "10"))
	record(r, rig.Order("1", "10"), paid)
	r.Place(rig.Order("2", "10"))
	r.Place(try("2", "2-2"))
	record(r, rig.Order("2", "10"), canceled)
	record(r, try("2", "2-2"), paid)
	for _, c := range []struct{ order, invoice, want string }{
		{"1", "", ""}, {"2", "", "2-2"}, {"2", "2", "2"}, {"3", "", ""},
	} {
		got, err := orderview.NameTry(t.Context(), r.Bus, events.Return{Shop: rig.Shop, OrderID: c.order, InvoiceID: c.invoice, RefundID: "r"})
		if err != nil || got.InvoiceID != c.want {
			t.Errorf("order %s, invoice %q: named %q, %v; want %q", c.order, c.invoice, got.InvoiceID, err, c.want)
		}
	}
}

// Of two payments of an order the refunder keeps the first, unless that is canceled, and pays the other back: a return is not a part of
// what is paid back anyway.
func TestAReturnIsAboutThePaymentThatIsKept(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	for _, c := range []struct{ order, first, canceled, want string }{
		{"1", "1", "", ""}, {"2", "2-b", "", "2-b"}, {"3", "3", "3", "3-b"}, {"4", "4-b", "4-b", ""},
	} {
		r.Place(rig.Order(c.order, "10"))
		r.Place(try(c.order, c.order+"-b"))
		both := []events.Order{rig.Order(c.order, "10"), try(c.order, c.order+"-b")}
		if c.first != c.order {
			slices.Reverse(both)
		}
		for _, o := range both {
			record(r, o, paid)
		}
		if c.canceled != "" {
			r.CancelTry(c.order, c.canceled)
		}
		got, err := orderview.NameTry(t.Context(), r.Bus, events.Return{Shop: rig.Shop, OrderID: c.order, RefundID: "r"})
		if err != nil || got.InvoiceID != c.want {
			t.Errorf("order %s: named %q, %v; want %q", c.order, got.InvoiceID, err, c.want)
		}
	}
}

// A cancellation that keeps what is paid does not have it paid back: of two payments the refunder keeps the first all the same.
func TestAReturnIsAboutThePaymentThatACancellationKeeps(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	for order, c := range map[string]struct {
		cancel []events.Cancellation // after the first try was placed
		want   string
	}{
		"try":    {[]events.Cancellation{{InvoiceID: "try", KeepPaid: true}}, ""},
		"whole":  {[]events.Cancellation{{KeepPaid: true}}, ""},
		"repaid": {[]events.Cancellation{{KeepPaid: true}, {}, {KeepPaid: true}}, "repaid-b"},
	} {
		r.Place(rig.Order(order, "10"))
		for _, c := range c.cancel {
			c.Shop, c.OrderID = rig.Shop, order
			if err := r.Bus.PublishOrder(t.Context(), "/test", rig.Shop, order, nuid.Next(), events.OrderCanceled, c); err != nil {
				t.Fatal(err)
			}
		}
		r.Place(try(order, order+"-b"))
		for _, o := range []events.Order{rig.Order(order, "10"), try(order, order+"-b")} {
			record(r, o, paid)
		}
		got, err := orderview.NameTry(t.Context(), r.Bus, events.Return{Shop: rig.Shop, OrderID: order, RefundID: "r"})
		if err != nil || got.InvoiceID != c.want {
			t.Errorf("order %s: named %q, %v; want %q", order, got.InvoiceID, err, c.want)
		}
	}
}

// A shop's system repeats a return, whatever was begun or paid since: it stays with the try that it was about. One that came to nothing,
// because that try has ended unpaid, is about the try that counts.
func TestARepeatedReturnStaysWithItsTry(t *testing.T) {
	r := rig.New(t, sandbox.Config{})
	refunded := func(i events.Invoice) (events.Invoice, error) {
		return i.Refunding(events.Refund{RefundID: "r1", Amount: i.Total, Message: 1}, events.Fact{Why: "test"})
	}
	done := func(i events.Invoice) (events.Invoice, error) {
		return i.RefundedAs("r1", "ers-r1", events.Fact{Why: "test"})
	}
	for order, first := range map[string][]bus.Decide{"paid": {paid}, "refunded": {paid, refunded, done}, "unpaid": {canceled}} {
		r.Place(rig.Order(order, "10"))
		r.Return(order, "r1", "10")
		record(r, rig.Order(order, "10"), first...)
		r.Place(try(order, order+"-b"))
		record(r, try(order, order+"-b"), paid)
	}
	for _, c := range []struct{ order, refund, want string }{
		{"paid", "r1", ""}, {"paid", "r2", ""}, {"refunded", "r1", ""}, {"refunded", "r2", "refunded-b"}, {"unpaid", "r1", "unpaid-b"},
	} {
		got, err := orderview.NameTry(t.Context(), r.Bus, events.Return{Shop: rig.Shop, OrderID: c.order, RefundID: c.refund})
		if err != nil || got.InvoiceID != c.want {
			t.Errorf("order %s, %s: named %q, %v; want %q", c.order, c.refund, got.InvoiceID, err, c.want)
		}
	}
}
