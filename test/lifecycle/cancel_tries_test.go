package lifecycle

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
)

// A try whose id is no subject token and that was canceled before it was invoiced is never invoiced.
func TestTryWithAnyIDIsCanceledBeforeItIsPlaced(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.Place(try("10/01", "10/01 b", "10"))
	r.Cancel("10/01")
	ws := r.workers(r.Client)
	r.Run(ws[canceler.Name])
	inv := r.Wait("10/01 b", events.EventCanceled)
	if inv.InvoiceID != "10/01 b" || inv.OrderID != "10/01" {
		t.Errorf("%s of %s", inv.InvoiceID, inv.OrderID)
	}
	r.Run(ws[invoicer.Name])
	r.Place(rig.Order("later", "10"))
	r.Wait("later", events.EventIssued)
	r.Idle()
	if n := len(r.Sandbox.Ledger().Invoices); n != 1 || r.Parked() != 0 {
		t.Errorf("%d invoices, expected that of the later order alone; %d parked", n, r.Parked())
	}
}

// One try that a person has to see leaves none of the others open, whatever the order of the tries.
func TestTryThatCannotBeCanceledDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{"1001", "1001-b"} {
		t.Run(refused, func(t *testing.T) {
			t.Parallel()
			r := newSystem(t)
			confirming, sayConfirming := signal()
			h := hooked{Client: r.Client}
			done := make(chan struct{})
			var refusedReference string
			h.cancel = func(ctx context.Context, c seqr.CancelInvoice) error {
				if c.InvoiceReference == refusedReference {
					return &seqr.Error{Operation: "cancelInvoice", Sent: seqr.Answered, Code: seqr.InvalidInvoiceReference}
				}
				select {
				case <-done:
					return r.Client.CancelInvoice(ctx, c)
				default:
					sayConfirming()
					return &seqr.Error{Operation: "cancelInvoice", Sent: seqr.Answered, Code: seqr.CannotCancelInvoiceInProgress}
				}
			}
			r.runAll(h, canceler.Name) // the refused cancellation leaves a delivery that is never acknowledged
			other := "1001-b"
			if refused == other {
				other = "1001"
			}
			r.Place(rig.Order("1001", "10"))
			r.Place(try("1001", "1001-b", "10"))
			refusedReference = r.Wait(refused, events.EventIssued).InvoiceReference
			r.Wait(other, events.EventIssued)
			r.Run(r.workers(h)[canceler.Name])
			r.Cancel("1001")
			for range 2 { // the second time it came again: nothing is parked while the other try waits
				select {
				case <-confirming:
				case <-time.After(rig.Patience):
					t.Fatalf("the other try was not asked about; %d parked", r.Parked())
				}
			}
			close(done)
			r.Wait(other, events.EventCanceled)
			r.WaitParked("canceler", "1001")
			if slices.Contains(r.History(refused), events.EventCanceled) {
				t.Errorf("%s: %v", refused, r.History(refused))
			}
		})
	}
}

// An order whose id another order's try has taken can be canceled, and that try is left alone.
func TestCancelOfAnOrderWhoseIDIsAnotherOrdersTry(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.Place(try("A", "B", "10"))
	r.Wait("B", events.EventIssued)
	r.Place(try("B", "B-2", "10"))
	r.Wait("B-2", events.EventIssued)
	r.Cancel("B")
	r.Wait("B-2", events.EventCanceled)
	r.IdleBut("poller")
	if r.Parked() != 0 {
		t.Errorf("%d parked", r.Parked())
	}
	r.expectHistory("B", events.EventIssued)
}
