package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

func TestCancelEndsEveryTryOfTheOrder(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	r.Place(try("1001", "1001-b", "10"))
	r.Wait("1001", events.EventIssued)
	r.pay("1001-b")
	r.Wait("1001-b", events.EventReceipted)
	r.Cancel("1001")
	r.Wait("1001", events.EventCanceled)
	if inv := r.Wait("1001-b", events.EventRefunded); inv.State != events.Refunded || inv.Refunds[0].RefundID != events.RefundCancel {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
	// A try that comes after the cancellation is a new wish.
	r.Place(try("1001", "1001-c", "10"))
	r.pay("1001-c")
	r.Wait("1001-c", events.EventReceipted)
	r.expectRefunds("10")
}

// Another order's invoice is not this order's to cancel or to refund.
func TestInvoiceOfAnotherOrderIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("B", "10")
	r.Place(try("A", "B", "10"))
	r.WaitParked("invoicer", "A")
	r.Cancel("A")
	r.Return("A", "r1", "")
	r.Wait("A", events.EventCanceled)
	r.expectRefunds()
	r.expectHistory("B", events.EventIssued, events.EventPaid, events.EventReceipted)
}

func TestSecondPaymentOfAnOrderIsPaidBack(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]bool{"by policy": false, "unless a person is to decide": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			r.start(r.Client, refunder.Name)
			r.Run(refunder.New(refunder.Config{Bus: r.Bus, Provider: r.Client, Shops: rig.Shops{}, KeepSecond: keep, Log: r.Log}))
			r.Place(rig.Order("1001", "10"))
			r.Place(try("1001", "1001-b", "10"))
			r.pay("1001")
			r.Wait("1001", events.EventReceipted)
			r.pay("1001-b")
			r.Wait("1001-b", events.EventReceipted)
			if keep {
				r.expectRefunds()
				return
			}
			if inv := r.Wait("1001-b", events.EventRefunded); inv.Refunds[0].RefundID != events.RefundSecond || inv.State != events.Refunded {
				t.Errorf("%+v", inv)
			}
			r.expectRefunds("10")
			r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted)
		})
	}
}

// secondOfTwo has both tries of an order paid, the first one first, while no refunder runs.
func secondOfTwo(t *testing.T) system {
	t.Helper()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	r.Place(rig.Order("1001", "10"))
	r.Place(try("1001", "1001-b", "10"))
	r.pay("1001")
	r.Wait("1001", events.EventReceipted)
	r.pay("1001-b")
	r.Wait("1001-b", events.EventReceipted)
	return r
}

// A first payment that is paid back by itself is no reason to pay the second one back too.
func TestSecondPaymentIsKeptWhenTheFirstWasCanceled(t *testing.T) {
	t.Parallel()
	r := secondOfTwo(t)
	r.setFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultResultCode, Code: 94, Count: 3}}}) // so the first is not yet paid back when the second is looked at
	r.Raw("orders.acme.1001.canceled", []byte(`{"orderId":"1001","invoiceId":"1001","shop":"acme"}`))
	r.runRefunder(r.Client)
	if inv := r.Wait("1001", events.EventRefunded); inv.Refunds[0].RefundID != events.RefundCancel {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
	r.expectHistory("1001-b", events.EventIssued, events.EventPaid, events.EventReceipted)
}

func TestForeignPaidEventHidesNoSecondPayment(t *testing.T) {
	t.Parallel()
	r := secondOfTwo(t)
	r.writeForeign("1001", events.EventPaid)
	r.runRefunder(r.Client)
	r.WaitRecorded("1001-b", events.EventRefunded)
	r.expectRefunds("10")
}

// Only an event of the poller's says that the buyer's time is over.
func TestForeignOverdueEventEndsNoInvoice(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.writeForeign("1001", events.EventOverdue)
	r.WaitParked("foreign", "1001")
	r.IdleBut("poller")
	r.pay("1001")
	r.Wait("1001", events.EventReceipted)
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted)
}

// The reason and the rows are contents too: only the very same return again is silent.
func TestSameRefundIDWithOtherContentsIsParked(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "4")
	r.Wait("1001", events.EventRefunded)
	again := func(fields string) {
		r.Raw("orders."+rig.Shop+".1001.returned", []byte(`{"orderId":"1001","shop":"`+rig.Shop+`","refundId":"r1",`+fields+`}`))
	}
	r.Return("1001", "r1", "4")
	again(`"amount":"4.00","currency":"SEK"`)
	for _, other := range []string{`"amount":"5"`, `"amount":"4","reason":"broken"`, `"amount":"4","currency":"EUR"`, `"rows":[{"description":"a","quantity":1,"total":"4"}]`} {
		again(other)
	}
	r.WaitParked("refunder", "1001")
	r.Idle()
	if r.Parked() != 4 {
		t.Errorf("%d parked, expected the four with other contents", r.Parked())
	}
	r.expectRefunds("4")
}

// A return that was asked for before a restore may have been paid after the backup was taken.
func TestAfterARestoreNothingIsPaidTwice(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	r.payOrder("1001", "10")
	r.Return("1001", "before", "4")
	if _, err := r.Bus.MarkRestored(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.runRefunder(r.Client)
	if inv := r.Wait("1001", events.EventRefundUnknown); inv.ReservedForRefunds.String() != "4" {
		t.Errorf("%+v", inv)
	}
	r.Return("1001", "after", "3")
	r.Wait("1001", events.EventRefunded)
	r.expectRefunds("3")
}

// An outage costs a refund two events, however long it is.
func TestOutageAddsTwoEventsToARefund(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "100")
	r.setFaults(map[string][]sandbox.Fault{"refundPayment": {{Kind: sandbox.FaultResultCode, Code: 94}}, "getPaymentStatus": {{Kind: sandbox.FaultResultCode, Code: 94}}})
	const returns = 20
	for i := range returns {
		r.Return("1001", string(rune('a'+i)), "1")
	}
	<-time.After(4 * time.Second) // the outage: there is no signal of what does not happen
	n := len(r.History("1001")) - 3
	t.Logf("%d events of %d returns in an outage of 4 s", n, returns)
	if n > 2*returns {
		t.Errorf("%d events of %d returns", n, returns)
	}
	r.setFaults(nil)
	r.WaitFor("1001", events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "20" })
	r.Idle()
	if got := len(r.Sandbox.Ledger().Refunds); got != returns {
		t.Errorf("%d refunds at the provider", got)
	}
}

// A refund of a second payment that was begun is brought to an end, also by a refunder that now leaves second payments to a person: else
// its amount would stay reserved, and every other refund of the invoice would wait for it.
func TestRefundOfASecondPaymentThatWasBegunIsFinishedWhenTheSettingChanges(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.Place(try("1", "0", "10"))
	r.Place(try("1", "1", "10"))
	r.recordIssued("1", "0")
	r.recordPaid("0")
	r.recordIssued("1", "1")
	r.recordPaid("1")
	died, sayDied := signal()
	var b *bus.Bus
	b, w := r.process(hooked{Client: r.Client, refund: func(context.Context, seqr.RefundPayment) (seqr.Refunded, error) {
		b.Close()
		sayDied()
		return seqr.Refunded{}, notSent()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended }) // the error of the process that died does not matter
	<-died
	cancel()
	p := &payer{}
	_, next := r.process(p.hook(r.Client))
	next.KeepSecond = true
	r.Run(next)
	r.WaitFor("1", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded })
	r.Idle()
	p.expect(t, "10 of 1")
}
