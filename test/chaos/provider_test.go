package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// provider is all calls that the workers make.
type provider interface {
	invoicer.Provider
	poller.Provider
	receipter.Provider
	canceler.Provider
	refunder.Provider
}

// called is one provider call as the worker saw it end.
type called struct {
	by        *incarnation
	op, about string
	amount    string
	err       error
}

// heard says that the answer settled the matter, and that nothing ever kept the worker from recording it.
// That an attempt was not made settles it only while no other copy has put the refund in doubt.
func (c called) heard() bool {
	class := seqr.Classify(c.err)
	return (class == seqr.Done || class == seqr.Refused) && !c.by.struck.Load()
}

// refused says that the provider answered that it will never do it.
func (c called) refused(but seqr.ResultCode) bool {
	code, answered := seqr.CodeOf(c.err)
	return answered && code != but && seqr.Classify(c.err) == seqr.Refused
}

// calls is the log of one world's calls.
type calls struct {
	mu  sync.Mutex
	all []called
}

func (c *calls) add(one called) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, one)
}

// count those that fit.
func (c *calls) count(fits func(called) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, one := range c.all {
		if fits(one) {
			n++
		}
	}
	return n
}

// far is one incarnation's provider: the real client, at whose calls the incarnation may die.
type far struct {
	client *seqr.Client
	self   *incarnation
}

var _ provider = far{}

var errDead = errors.New("the worker is dead")

func failed(op string, sent seqr.SentState, cause error) error {
	return &seqr.Error{Operation: op, Sent: sent, Err: cause}
}

// do makes the call unless the incarnation is dead by then, and keeps what a dead one gets from it.
func (f far) do(ctx context.Context, as seqr.Principal, op, about, amount string, call func() error) error {
	if strike := f.self.meet(beforeCall); strike != nil {
		strike()
	}
	if f.self.dead() {
		return failed(op, seqr.NotSent, errDead)
	}
	err := f.unreachable(op)
	switch {
	case err != nil:
	case f.self.world.unheard(ctx, as.ID):
		err = failed(op, seqr.MaybeSent, context.DeadlineExceeded)
	default:
		err = call()
	}
	if strike := f.self.meet(afterCall); strike != nil {
		strike()
	}
	if f.self.dead() {
		f.self.world.note("%s %s %s: %v, and the worker is dead", f.self, op, about, outcome(err))
		err = failed(op, seqr.MaybeSent, errDead)
	}
	f.self.world.calls.add(called{f.self, op, about, amount, err})
	if op != "getPaymentStatus" || err != nil {
		f.self.world.note("%s %s %s %s: %s", f.self, op, about, amount, outcome(err))
	}
	return err
}

func outcome(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

// unreachable fails the call before anything is sent, when the schedule says so.
func (f far) unreachable(op string) error {
	if f.self.world.spend(op) {
		return failed(op, seqr.NotSent, errors.New("no route to the provider"))
	}
	return nil
}

func (f far) SendInvoice(ctx context.Context, r seqr.SendInvoice) (sent seqr.SentInvoice, err error) {
	err = f.do(ctx, r.As, "sendInvoice", r.Invoice.ClientInvoiceID, r.Invoice.Total.Value.String(), func() error {
		sent, err = f.client.SendInvoice(ctx, r)
		return err
	})
	return sent, err
}

func (f far) CancelInvoice(ctx context.Context, r seqr.CancelInvoice) error {
	return f.do(ctx, r.As, "cancelInvoice", r.InvoiceReference, "", func() error { return f.client.CancelInvoice(ctx, r) })
}

func (f far) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (st seqr.PaymentStatus, err error) {
	err = f.do(ctx, r.As, "getPaymentStatus", r.InvoiceReference, "", func() error {
		st, err = f.client.GetPaymentStatus(ctx, r)
		return err
	})
	if err == nil {
		f.self.world.answered(r.InvoiceReference)
	}
	if err == nil && st.Status != seqr.StatusIssued {
		f.self.world.note("%s getPaymentStatus %s: %s", f.self, r.InvoiceReference, st.Status)
	}
	return st, err
}

func (f far) CommitReservation(ctx context.Context, r seqr.CommitReservation) error {
	return f.do(ctx, r.As, "commitReservation", r.InvoiceReference, "", func() error { return f.client.CommitReservation(ctx, r) })
}

func (f far) SubmitPaymentReceipt(ctx context.Context, r seqr.SubmitPaymentReceipt) error {
	return f.do(ctx, r.As, "submitPaymentReceipt", r.ErsReference, "", func() error { return f.client.SubmitPaymentReceipt(ctx, r) })
}

func (f far) RefundPayment(ctx context.Context, r seqr.RefundPayment) (done seqr.Refunded, err error) {
	err = f.do(ctx, r.As, "refundPayment", r.Invoice.ClientInvoiceID, r.Invoice.Total.Value.String(), func() error {
		done, err = f.client.RefundPayment(ctx, r)
		return err
	})
	return done, err
}

// sandboxFaults are those of the schedule that the sandbox itself makes.
func (s schedule) sandboxFaults() map[string][]sandbox.Fault {
	out := map[string][]sandbox.Fault{}
	for _, f := range s.Faults {
		if !f.Unreachable {
			out[f.Op] = append(out[f.Op], f.Fault)
		}
	}
	return out
}

// answered notes that a poller knows how a bill stands.
func (w *world) answered(ref string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polled[ref] = int64(time.Since(w.begun))
}

// spend an unreachable fault of the operation, if one is due.
func (w *world) spend(op string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.unreachable {
		f := &w.unreachable[i]
		switch {
		case f.Op != op || f.Count == 0:
		case f.Skip > 0:
			f.Skip--
		default:
			f.Count--
			return true
		}
	}
	return false
}

func (i *incarnation) String() string { return fmt.Sprintf("%s#%d", i.worker, i.number) }
