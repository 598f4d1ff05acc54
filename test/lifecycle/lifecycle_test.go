// Package lifecycle runs whole lives of invoices through all workers: real broker, real sandbox.
package lifecycle

import (
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestPaidOrderIsReceipted(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "149.50"))
	r.pay("1001")
	inv := r.Wait("1001", events.EventReceipted)
	if inv.State != events.Receipted || inv.ErsReference == "" || inv.QRCode != "HTTP://SEQR.SE/R"+inv.InvoiceReference {
		t.Errorf("%+v", inv)
	}
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted)
	l := r.Sandbox.Ledger()
	if len(l.Reversals) != 0 || len(l.Receipts) != 1 || l.Receipts[0].MimeType != "Base64" {
		t.Errorf("%+v", l)
	}
}

func TestSameOrderTwiceIsOneInvoice(t *testing.T) {
	t.Parallel()
	r := start(t)
	for range 3 {
		r.Place(rig.Order("1001", "10"))
	}
	r.pay("1001")
	r.Wait("1001", events.EventReceipted)
	r.Idle()
	if n := len(r.Sandbox.Ledger().Invoices); n != 1 || r.Parked() != 0 {
		t.Errorf("%d invoices, %d parked", n, r.Parked())
	}
}

func TestAnotherOrderUnderTheSameIDIsParked(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.Place(rig.Order("1001", "11"))
	r.WaitParked("invoicer", "1001")
	second := rig.Order("1001", "11")
	second.InvoiceID = "1001-b"
	r.Place(second)
	r.pay("1001-b")
	r.Wait("1001-b", events.EventReceipted)
}

func TestCancelBeforePaying(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.Cancel("1001")
	r.Wait("1001", events.EventCanceled)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventCanceled)
}

func TestCancelBeforePlaced(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Cancel("1001")
	r.Wait("1001", events.EventCanceled)
	r.Place(rig.Order("1001", "10"))
	r.Idle()
	r.expectHistory("1001", events.EventCanceled)
	if n := len(r.Sandbox.Ledger().Invoices); n != 0 {
		t.Errorf("%d invoices at the provider", n)
	}
}

func TestCancelAfterPayingRefunds(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	r.pay("1001")
	r.Wait("1001", events.EventReceipted)
	r.Cancel("1001")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.State != events.Refunded || inv.Refunds[0].RefundID != "cancel" {
		t.Errorf("%+v", inv)
	}
	r.Idle()
}

// A cancellation that keeps what is paid ends an open invoice and refunds nothing, also when another refund has failed meanwhile.
func TestCancelThatKeepsPaid(t *testing.T) {
	t.Parallel()
	r := start(t)
	cancel := func(id string) {
		r.Raw(events.OrderSubject(rig.Shop, id, events.OrderCanceled), []byte(`{"orderId":"`+id+`","shop":"`+rig.Shop+`","keepPaid":true}`))
	}
	r.Place(rig.Order("1001", "10"))
	r.pay("1001")
	r.Wait("1001", events.EventReceipted)
	cancel("1001")
	r.Return("1001", "too much", "11")
	r.Wait("1001", events.EventRefundFailed)
	r.Place(rig.Order("1002", "10"))
	r.Wait("1002", events.EventIssued)
	cancel("1002")
	r.Wait("1002", events.EventCanceled)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted, events.EventRefundFailed)
	r.expectHistory("1002", events.EventIssued, events.EventCanceled)
}

func TestReturnedBeforePaid(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Return("1001", "r1", "4")
	r.Place(rig.Order("1001", "10"))
	r.pay("1001")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.Refunded.String() != "4" {
		t.Errorf("%+v", inv)
	}
	r.Idle()
}

func TestPartialReturnsUpToThePaidSum(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	r.pay("1001")
	r.Wait("1001", events.EventReceipted)
	r.Return("1001", "r1", "4")
	r.Return("1001", "r2", "5")
	r.Return("1001", "r1", "4")
	r.WaitFor("1001", events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "9" })
	r.Return("1001", "r3", "2")
	if inv := r.Wait("1001", events.EventRefundFailed); inv.State != events.Receipted || inv.Change.RefundID != "r3" {
		t.Errorf("%+v", inv)
	}
	r.Return("1001", "r4", "")
	if inv := r.WaitFor("1001", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded }); inv.Refunded.String() != "10" {
		t.Errorf("%+v", inv)
	}
	r.Return("1001", "r5", "1")
	r.WaitFor("1001", events.EventRefundFailed, func(i events.Invoice) bool { return i.Change.RefundID == "r5" && i.State == events.Refunded })
	r.Idle()
	if n := len(r.Sandbox.Ledger().Refunds); n != 3 || r.Parked() != 0 {
		t.Errorf("%d refunds at the provider, %d parked", n, r.Parked())
	}
}

func TestOrderThatTheBuyerCancelsIsCanceled(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	if err := r.Sandbox.Decline(r.Wait("1001", events.EventIssued).InvoiceReference); err != nil {
		t.Fatal(err)
	}
	r.Wait("1001", events.EventCanceled)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventCanceled)
}

func TestOrderWhosePaymentFailsIsFailed(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(rig.Order("1001", "10"))
	if err := r.Sandbox.Fail(r.Wait("1001", events.EventIssued).InvoiceReference); err != nil {
		t.Fatal(err)
	}
	r.Wait("1001", events.EventFailed)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventFailed)
}

func TestUnpaidOrderExpires(t *testing.T) {
	t.Parallel()
	r := start(t)
	o := rig.Order("1001", "10")
	o.ValidFor = events.Duration(time.Second)
	r.Place(o)
	r.Wait("1001", events.EventExpired)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventOverdue, events.EventExpired)
}

// The broker's clock is an hour ahead of this machine's. Events are stamped by it, but how long a call took is not the difference of two clocks.
func TestCallsAreTimedWhereTheClocksAreApart(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	const apart = time.Hour
	r.Bus = r.ConnectWith(bus.Config{Now: time.Now, Clock: func() time.Time { return time.Now().Add(-apart) }})
	if skew, err := r.Bus.MeasureClock(t.Context()); err != nil || skew < apart/2 {
		t.Fatalf("skew %s, %v", skew, err)
	}
	r.runAll(r.Client) // no audit: the broker's own stamps are not an hour ahead
	r.payOrder("paid", "10.00")
	r.Return("paid", "r1", "5.00")
	r.Place(rig.Order("off", "10.00"))
	issued := r.Wait("off", events.EventIssued)
	r.Cancel("off")
	for _, inv := range []events.Invoice{issued, r.Wait("paid", events.EventReceipted), r.Wait("paid", events.EventRefunded), r.Wait("off", events.EventCanceled)} {
		if c := inv.Change.Call; c == nil || c.Millis < 0 || c.Millis > (apart/2).Milliseconds() {
			t.Errorf("%s: %+v", inv.Change.Event, c)
		}
	}
}
