package notifier_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/commerce"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

func TestEachEventIsToldOnceAndInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(takes)
	f.start(map[string]*system{"erp": erp})
	f.issue(ids(20)...)
	f.pay(ids(20)...)
	erp.waitFor(t, 60)
	f.Idle()
	for _, id := range ids(20) {
		if got := erp.of(id); got != wholeLife {
			t.Errorf("%s: %s", id, got)
		}
	}
	all := f.attempts("erp", "o3")
	if len(all) != 3 {
		t.Fatalf("%d attempts are recorded: %+v", len(all), all)
	}
	a := all[1]
	inv := f.Wait("o3", events.EventPaid)
	if a.Shop != rig.Shop || a.InvoiceID != "o3" || a.Destination != "erp" || a.Event != events.EventPaid || a.EventID == "" || a.Status != events.DeliveryDelivered ||
		a.Attempt != 1 || a.Code != 200 || a.Settled != a.Sequence || a.Resent || a.NextAt != nil || inv.InvoiceID != "o3" {
		t.Errorf("%+v", a)
	}
}

// TestASystemHearsWhetherTheOrderGoesOn: the destination is back after the buyer has canceled, tried again and paid. The events of the
// two invoices come in any order; none of them may end the order.
func TestASystemHearsWhetherTheOrderGoesOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	ended := func(i events.Invoice) (events.Invoice, error) {
		return i.EndedBy(events.EventCanceled, events.ActorCanceler, events.Fact{At: time.Now(), Why: "test"})
	}
	for _, order := range []string{"paid", "over"} {
		again := rig.Order(order, "10")
		again.InvoiceID = order + "-2"
		f.Place(rig.Order(order, "10"))
		f.issue(order)
		rig.AppendEvents(t, f.Bus, events.KeyOf(rig.Shop, order), ended)
		f.Place(again)
		fact := events.Fact{At: time.Now(), Why: "test"}
		rig.AppendEvents(t, f.Bus, again.Key(), func(i events.Invoice) (events.Invoice, error) {
			return i.IssuedAs(again, events.ProviderInvoice{Terminal: "demo-terminal", Reference: "ref-" + again.InvoiceID, ValidFor: time.Minute}, fact)
		})
	}
	f.pay("paid-2")
	rig.AppendEvents(t, f.Bus, events.KeyOf(rig.Shop, "over-2"), ended)
	f.Place(rig.Order("withdrawn", "10"))
	f.issue("withdrawn")
	f.Cancel("withdrawn")
	rig.AppendEvents(t, f.Bus, events.KeyOf(rig.Shop, "withdrawn"), ended)

	var mu sync.Mutex
	goesOn := map[string]bool{}
	erp := newSystem(func(n commerce.Notice) commerce.Result {
		mu.Lock()
		defer mu.Unlock()
		if n.Name == events.EventCanceled {
			goesOn[n.Invoice.InvoiceID] = n.GoesOn
			if n.Withdrawn != (n.Invoice.OrderID == "withdrawn") {
				t.Errorf("%s: the order was canceled: %v", n.Invoice.InvoiceID, n.Withdrawn)
			}
		} else if n.GoesOn {
			t.Errorf("%s %s ends nothing", n.Invoice.InvoiceID, n.Name)
		}
		return takes(n)
	})
	f.start(map[string]*system{"erp": erp})
	erp.waitFor(t, 11)
	mu.Lock()
	defer mu.Unlock()
	if len(goesOn) != 4 || !goesOn["paid"] || goesOn["over"] || goesOn["over-2"] || goesOn["withdrawn"] {
		t.Errorf("goes on: %v; want the order paid alone", goesOn)
	}
}

// TestALaterEventWaitsForAnEarlierOne: what fails is one event of one invoice.
func TestALaterEventWaitsForAnEarlierOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	var fails atomic.Bool
	fails.Store(true)
	erp := newSystem(func(n commerce.Notice) commerce.Result {
		if n.Invoice.InvoiceID == "bad" && n.Name == events.EventIssued && fails.Load() {
			return commerce.Result{Status: commerce.Again, Code: 500, Detail: "oops"}
		}
		return takes(n)
	})
	f.start(map[string]*system{"erp": erp})
	f.start(map[string]*system{"erp": erp}) // a second copy, which may have the later event
	f.issue("bad")
	f.pay("bad")
	f.issue(ids(30)...)
	f.pay(ids(30)...)
	erp.waitFor(t, 90)
	erp.waitAsked(t, 3) // the bad one goes on
	if got := erp.of("bad"); got != "" {
		t.Fatalf("told before an earlier event: %s", got)
	}
	fails.Store(false)
	erp.waitFor(t, 93)
	f.Idle()
	if got := erp.of("bad"); got != wholeLife {
		t.Errorf("%s", got)
	}
	all := f.attempts("erp", "bad")
	n := len(all) - 3
	if first := all[0]; n < 3 || first.Status != events.DeliveryAgain || first.NextAt == nil || first.Settled != 0 || all[n].Attempt != n+1 || !all[n].FirstAt.Equal(first.FirstAt) {
		t.Errorf("attempts %+v", all)
	}
}

func TestARefusedEventIsParkedAndMayBeSentAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(func(commerce.Notice) commerce.Result {
		return commerce.Result{Status: commerce.Refused, Code: 410, Detail: "the order was deleted"}
	})
	f.start(map[string]*system{"erp": erp})
	f.issue("1")
	p := f.WaitParked(notifier.Name, "1")
	if want := "erp refused it: the order was deleted"; p.Reason != want || p.Consumer != "notifier=acme=erp" || p.Attempts != 1 {
		t.Errorf("parked %+v; want the reason %q", p, want)
	}
	f.Idle()
	erp.answers(takes)
	f.pay("1") // what is parked holds nothing up
	erp.waitFor(t, 2)
	open, err := f.Bus.OpenParked(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	if err := f.Bus.Replay(t.Context(), open[0]); err != nil {
		t.Fatal(err)
	}
	erp.waitFor(t, 3)
	f.Idle()
	// What was delivered may be sent again too.
	e, err := f.Bus.MessageAt(t.Context(), events.InvoicesStream, p.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Bus.Resend(t.Context(), notifier.Consumers(f.conns)[0], e); err != nil {
		t.Fatal(err)
	}
	erp.waitFor(t, 4)
	f.Idle()
	if got := erp.of("1"); got != "paid receipted issued issued" {
		t.Errorf("%s", got)
	}
	all := f.attempts("erp", "1")
	if last := all[len(all)-1]; !last.Resent || last.Settled != all[2].Sequence || last.Status != events.DeliveryDelivered || all[0].Status != events.DeliveryRefused {
		t.Errorf("%+v", all)
	}
}

func TestADisabledDestinationKeepsItsEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(takes)
	c := notifier.Config{Bus: f.Bus, Log: f.Log, Destinations: []notifier.Destination{{Shop: rig.Shop, Name: "erp", Disabled: true}}}
	stop := f.Run(notifier.New(c))
	f.issue(ids(10)...)
	f.pay(ids(10)...)
	stop()
	f.forward(10 * 24 * time.Hour)
	var failed atomic.Bool
	erp.answers(func(n commerce.Notice) commerce.Result {
		if failed.CompareAndSwap(false, true) {
			return dead(n) // it is old already, and gets more than one attempt all the same
		}
		return takes(n)
	})
	f.start(map[string]*system{"erp": erp})
	erp.waitFor(t, 30)
	f.Idle()
	for _, id := range ids(10) {
		if got := erp.of(id); got != wholeLife {
			t.Errorf("%s: %s", id, got)
		}
	}
}

// TestADisabledDestinationIsKeptFromTheFirstStartOn: the notifier makes its durable where the broker lets it, as it does for the others.
func TestADisabledDestinationIsKeptFromTheFirstStartOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Run(notifier.New(notifier.Config{Bus: f.Bus, Log: f.Log, Destinations: []notifier.Destination{{Shop: rig.Shop, Name: "erp", Disabled: true}}}))
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if missing := rig.Until(ctx, func(ctx context.Context) string {
		all, err := f.Bus.Durables(ctx, events.InvoicesStream, notifier.ConsumerName(rig.Shop, "erp"))
		if err != nil || len(all) != 1 {
			return fmt.Sprintf("%d durables, %v", len(all), err)
		}
		return ""
	}); missing != "" {
		t.Error(missing)
	}
}

func TestANewConnectionBeginsWithWhatHappensFromThenOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	f.issue("before", "between")
	f.pay("before")
	f.conns = connected("erp", "new")
	f.provision()
	added := newSystem(takes)
	f.start(map[string]*system{"new": added})
	f.pay("between") // its first event was before
	f.issue("after")
	added.waitFor(t, 3)
	f.IdleBut(notifier.ConsumerName(rig.Shop, "erp"))
	if added.of("between") != "paid receipted" || added.of("after") != "issued" || len(added.took) != 3 {
		t.Errorf("took %q", added.took)
	}
}

func TestADestinationThatAsksToWaitIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(func(commerce.Notice) commerce.Result {
		return commerce.Result{Status: commerce.Again, Code: 429, After: time.Hour, Detail: "slow down"}
	})
	f.start(map[string]*system{"erp": erp})
	f.issue("1")
	f.First(events.DeliverySubject(events.KeyOf(rig.Shop, "1"), "erp"))
	f.issue(ids(10)...)
	f.waitHeld("erp", 11)
	all := f.attempts("erp", "1")
	if len(all) != 1 || all[0].NextAt.Sub(all[0].At) < time.Hour {
		t.Errorf("%+v", all)
	}
	if asked := erp.asks(); asked > 2 { // a second one may have been under way
		t.Errorf("asked %d times", asked)
	}
}

func TestAForeignMessageHoldsNothingUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(takes)
	f.start(map[string]*system{"erp": erp})
	f.issue("1")
	f.Raw("invoices.acme.1.paid", []byte(`{"forged":true}`))
	f.pay("1")
	erp.waitFor(t, 3)
	f.Idle()
	if got := erp.of("1"); got != wholeLife {
		t.Errorf("%s", got)
	}
}

// TestAForeignMessageEndsNoEarlierEvent: what waits is told all the same, and before what follows.
func TestAForeignMessageEndsNoEarlierEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(dead)
	f.start(map[string]*system{"erp": erp})
	f.issue("1")
	erp.waitAsked(t, 1)
	f.Raw("invoices.acme.1.paid", []byte(`{"forged":true}`))
	f.WaitParked("foreign", "1")
	erp.waitAsked(t, 2)
	f.pay("1")
	erp.answers(takes)
	erp.waitFor(t, 3)
	f.Idle()
	if got := erp.of("1"); got != wholeLife {
		t.Errorf("%s", got)
	}
}

func TestOnlyTheEventsOfTheDestinationAreTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	erp := newSystem(takes)
	c := notifier.Config{Bus: f.Connect(), Log: f.Log, Destinations: []notifier.Destination{{Shop: rig.Shop, Name: "erp", Outbound: erp, Events: []events.Name{events.EventReceipted}}}}
	f.Run(notifier.New(c))
	f.issue(ids(5)...)
	f.pay(ids(5)...)
	erp.waitFor(t, 5)
	f.Idle()
	for _, id := range ids(5) {
		if got := erp.of(id); got != "receipted" {
			t.Errorf("%s: %s", id, got)
		}
	}
}

func TestConsumerNamesAreTakenApart(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"acme", "erp"}, {"a-b", "c"}, {"a", "b-c"}, {"x-mfrgg", "woocommerce"}} {
		shop, destination, ok := notifier.ParseConsumerName(notifier.ConsumerName(c[0], c[1]))
		if !ok || shop != c[0] || destination != c[1] {
			t.Errorf("%v: %s %s %v", c, shop, destination, ok)
		}
	}
	for _, name := range []string{"notifier", "receipter", "notifier=acme"} {
		if _, _, ok := notifier.ParseConsumerName(name); ok {
			t.Errorf("%s is taken for a destination's", name)
		}
	}
}

// waitHeld waits until copies have so many messages that have not ended.
func (f *fixture) waitHeld(destination string, n int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), rig.Patience)
	defer cancel()
	if got := rig.Until(ctx, func(context.Context) string {
		if p := f.pending(destination); p < n {
			return fmt.Sprintf("%d of %d", p, n)
		}
		return ""
	}); got != "" {
		f.t.Fatal(got)
	}
}

// asks gives how often the system was asked.
func (s *system) asks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// TestWhatIsRecordedIsNotToldAgain: a process has died between the record of an attempt and the acknowledgement.
func TestWhatIsRecordedIsNotToldAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "erp")
	f.issue("1")
	f.pay("1")
	k := events.KeyOf(rig.Shop, "1")
	seq, err := f.Bus.LastEventSeq(t.Context(), k, events.EventPaid)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Bus.RecordDelivery(t.Context(), notifier.Name, k, bus.LoadedDelivery{}, events.DeliveryAttempt{
		Shop: rig.Shop, InvoiceID: "1", Destination: "erp", Event: events.EventPaid, Sequence: seq, Attempt: 1, Status: events.DeliveryDelivered, Settled: seq,
	}); err != nil {
		t.Fatal(err)
	}
	erp := newSystem(takes)
	f.start(map[string]*system{"erp": erp})
	erp.waitFor(t, 1)
	f.Idle()
	if got := erp.of("1"); got != "receipted" || erp.asks() != 1 {
		t.Errorf("told %s", got)
	}
}
