package lifecycle

import (
	"context"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// A return that is published twice reaches two copies. The second must not take the first one's call, which
// is merely slow, for one that nobody knows the outcome of.
func TestRepeatedReturnDoesNotRepeatASlowRefund(t *testing.T) {
	t.Parallel()
	r := newSystem(t)
	r.start(r.Client, refunder.Name)
	r.payOrder("1001", "10")
	inCall, sayInCall := signal()
	answer := make(chan struct{})
	slow := hooked{Client: r.Client, refund: func(ctx context.Context, p seqr.RefundPayment) (seqr.Refunded, error) {
		sayInCall()
		<-answer
		return r.Client.RefundPayment(ctx, p)
	}}
	for range 2 {
		_, w := r.process(slow)
		r.Run(w)
	}
	r.Return("1001", "r1", "4")
	<-inCall
	r.Return("1001", "r1", "4")
	r.payOrder("1002", "10") // a whole life after the second return, so that it has been looked at
	close(answer)
	r.Wait("1001", events.EventRefunded)
	r.Idle()
	r.expectHistory("1001", events.EventIssued, events.EventPaid, events.EventReceipted, events.EventRefunding, events.EventRefunded)
	r.expectRefunds("4")
}
