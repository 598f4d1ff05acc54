package lifecycle

import (
	"context"
	"testing"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

func TestCancelWhileTheBuyerIsPaying(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	inProgress, sayInProgress := signal()
	r.start(hooked{Client: r.Client, cancel: func(ctx context.Context, c seqr.CancelInvoice) error {
		err := r.Client.CancelInvoice(ctx, c)
		if code, _ := seqr.CodeOf(err); code == seqr.CannotCancelInvoiceInProgress {
			sayInProgress()
		}
		return err
	}})
	r.Place(rig.Order("1001", "10"))
	ref := r.Wait("1001", events.EventIssued).InvoiceReference
	if err := r.Sandbox.Confirm(ref); err != nil {
		t.Fatal(err)
	}
	r.Cancel("1001")
	<-inProgress
	if err := r.Sandbox.Pay(ref); err != nil {
		t.Fatal(err)
	}
	inv := r.Wait("1001", events.EventRefunded)
	if inv.State != events.Refunded || inv.Refunds[0].RefundID != events.RefundCancel {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
}

func TestCancelOfAPaymentThatIsNotRecordedYet(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	paid, sayPaid := signal()
	p := hooked{Client: r.Client, cancel: func(ctx context.Context, c seqr.CancelInvoice) error {
		err := r.Client.CancelInvoice(ctx, c)
		if code, _ := seqr.CodeOf(err); code == seqr.CannotCancelPaidInvoice {
			sayPaid()
		}
		return err
	}}
	r.start(p, poller.Name)
	r.Place(rig.Order("1001", "10"))
	r.pay("1001")
	r.Cancel("1001")
	<-paid
	r.Run(r.workers(p)[poller.Name])
	if inv := r.Wait("1001", events.EventRefunded); inv.State != events.Refunded {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
}

// The schedule of seed 34 found that such an order was left paid: the provider said of a paid invoice
// that it was canceled, after the payment had been recorded.
func TestPaymentRecordedDuringTheCancelIsRefunded(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	asking, sayAsking := signal()
	recorded := make(chan struct{})
	r.start(hooked{Client: r.Client, cancel: func(ctx context.Context, _ seqr.CancelInvoice) error {
		sayAsking()
		<-recorded
		return &seqr.Error{Operation: "cancelInvoice", Sent: seqr.Answered, Code: seqr.InvoiceAlreadyCanceled}
	}})
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.Cancel("1001")
	<-asking
	r.pay("1001")
	r.Wait("1001", events.EventPaid)
	close(recorded)
	if inv := r.WaitFor("1001", events.EventRefunded, func(i events.Invoice) bool { return i.State == events.Refunded }); inv.Refunds[0].RefundID != events.RefundCancel {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
}

func TestPaidAfterCanceledIsRefunded(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	lie := map[string][]sandbox.Fault{"cancelInvoice": {{Kind: sandbox.FaultResultCode, Code: int(seqr.InvoiceAlreadyCanceled), Count: 1}}}
	r.setFaults(lie)
	r.start(r.Client)
	r.Place(rig.Order("1001", "10"))
	r.Wait("1001", events.EventIssued)
	r.Cancel("1001")
	r.Wait("1001", events.EventCanceled)
	r.pay("1001")
	inv := r.Wait("1001", events.EventRefunded)
	if inv.State != events.Refunded || !inv.Late || inv.Refunds[0].RefundID != events.RefundLate {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
}

func TestTwoReturnsAtOnceNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "6")
	r.Return("1001", "r2", "6")
	r.Wait("1001", events.EventRefundFailed)
	inv := r.Wait("1001", events.EventRefunded)
	if inv.Refunded.String() != "6" {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("6")
}

func TestReturnAfterFullRefundIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.payOrder("1001", "10")
	r.Return("1001", "r1", "")
	r.Wait("1001", events.EventRefunded)
	r.Return("1001", "r2", "")
	r.Return("1001", "r1", "")
	if inv := r.Wait("1001", events.EventRefundFailed); inv.State != events.Refunded || inv.Change.RefundID != "r2" {
		t.Errorf("%+v", inv)
	}
	r.expectRefunds("10")
}

func TestTwoCopiesOfEveryWorkerDoEverythingOnce(t *testing.T) {
	t.Parallel()
	r := start(t)
	other := *r.Rig
	other.Bus = r.Connect()
	system{Rig: &other}.runAll(r.Client)
	ids := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
	for _, id := range ids {
		for range 4 {
			r.Place(rig.Order(id, "10"))
		}
	}
	for _, id := range ids {
		r.pay(id)
		for range 4 {
			r.Return(id, "r1", "3")
		}
	}
	for _, id := range ids {
		r.Wait(id, events.EventReceipted)
		r.WaitFor(id, events.EventRefunded, func(i events.Invoice) bool { return i.Refunded.String() == "3" })
	}
	r.Idle()
	l := r.Sandbox.Ledger()
	if len(l.Payments) != len(ids) || len(l.Refunds) != len(ids) || r.Parked() != 0 {
		t.Errorf("%d payments, %d refunds, %d parked", len(l.Payments), len(l.Refunds), r.Parked())
	}
	for _, b := range l.Invoices {
		if b.Status != sandbox.Paid && b.Status != sandbox.Canceled {
			t.Errorf("a bill that nobody was shown is %s", b.Status)
		}
	}
}
