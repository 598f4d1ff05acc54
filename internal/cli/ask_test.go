package cli

import (
	"errors"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

func TestAskSaysWhetherTheProviderAgrees(t *testing.T) {
	for _, c := range []struct {
		state  events.State
		ers    string
		status seqr.InvoiceStatus
		theirs string
		err    error
		want   bool
	}{
		{state: events.Issued, status: seqr.StatusIssued, want: true},
		{state: events.Issued, status: seqr.StatusPendingIssuerAcknowledge, want: true},
		{state: events.Issued, status: seqr.StatusPaid, theirs: "e"},
		{state: events.Issued, status: seqr.StatusCanceled},
		{state: events.Reserved, status: seqr.StatusReserved, want: true},
		{state: events.Issued, status: seqr.StatusReserved},
		{state: events.Paid, ers: "e", status: seqr.StatusPaid, theirs: "e", want: true},
		{state: events.Refunded, ers: "e", status: seqr.StatusPaid, theirs: "e", want: true},
		{state: events.Paid, ers: "e", status: seqr.StatusPaid, theirs: "f"},
		{state: events.Paid, ers: "e", status: seqr.StatusCanceled},
		{state: events.Canceled, status: seqr.StatusPaid, theirs: "e"},
		{state: events.Expired, status: seqr.StatusCanceled, want: true},
		{state: events.Canceled, status: seqr.StatusIssued},
		{state: events.Issued, err: errors.New("unknown invoice")},
	} {
		inv := events.Invoice{State: c.state, ErsReference: c.ers}
		if got := agree(inv, seqr.PaymentStatus{Status: c.status, ErsReference: c.theirs}, c.err); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
