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

// provider makes all calls that the workers make.
type provider interface {
	invoicer.Provider
	poller.Provider
	receipter.Provider
	canceler.Provider
	refunder.Provider
}

// called is one call of the provider as the worker saw it end.
type called struct {
	by        *instance
	op, about string
	amount    string
	err       error
}

// heard says that the answer was final, and that nothing kept the worker from recording it.
// That an attempt was not sent is final only while no other copy has recorded the refund as unknown.
func (c called) heard() bool {
	class := seqr.Classify(c.err)
	return (class == seqr.Done || class == seqr.Refused) && !c.by.interrupted.Load()
}

// refused says that the provider answered that it will never do it.
func (c called) refused(but seqr.ResultCode) bool {
	code, answered := seqr.CodeOf(c.err)
	return answered && code != but && seqr.Classify(c.err) == seqr.Refused
}

// calls are all calls of one simulation. They are safe for concurrent use.
type calls struct {
	mu  sync.Mutex
	all []called
}

func (c *calls) add(one called) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, one)
}

// count counts those that fit.
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

// faultyProvider is one instance's provider: the real client, at whose calls the instance may crash.
type faultyProvider struct {
	client *seqr.Client
	self   *instance
}

var _ provider = faultyProvider{}

var errCrashed = errors.New("the worker has crashed")

func failed(op string, sent seqr.SentState, cause error) error {
	return &seqr.Error{Operation: op, Sent: sent, Err: cause}
}

// do makes the call unless the instance has crashed by then. An instance that crashes during the call gets no answer.
func (f faultyProvider) do(ctx context.Context, as seqr.Principal, op, about, amount string, call func() error) error {
	if interrupt := f.self.reach(beforeCall); interrupt != nil {
		interrupt()
	}
	if f.self.hasCrashed() {
		return failed(op, seqr.NotSent, errCrashed)
	}
	err := f.unreachable(op)
	switch {
	case err != nil:
	case f.self.sim.getsNoAnswer(ctx, as.ID):
		err = failed(op, seqr.MaybeSent, context.DeadlineExceeded)
	default:
		err = call()
	}
	if interrupt := f.self.reach(afterCall); interrupt != nil {
		interrupt()
	}
	if f.self.hasCrashed() {
		f.self.sim.logf("%s %s %s: %v, and the worker has crashed", f.self, op, about, outcome(err))
		err = failed(op, seqr.MaybeSent, errCrashed)
	}
	f.self.sim.calls.add(called{f.self, op, about, amount, err})
	if op != "getPaymentStatus" || err != nil {
		f.self.sim.logf("%s %s %s %s: %s", f.self, op, about, amount, outcome(err))
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
func (f faultyProvider) unreachable(op string) error {
	if f.self.sim.spendUnreachable(op) {
		return failed(op, seqr.NotSent, errors.New("no route to the provider"))
	}
	return nil
}

func (f faultyProvider) SendInvoice(ctx context.Context, r seqr.SendInvoice) (sent seqr.SentInvoice, err error) {
	err = f.do(ctx, r.As, "sendInvoice", r.Invoice.ClientInvoiceID, r.Invoice.Total.Value.String(), func() error {
		sent, err = f.client.SendInvoice(ctx, r)
		return err
	})
	return sent, err
}

func (f faultyProvider) CancelInvoice(ctx context.Context, r seqr.CancelInvoice) error {
	return f.do(ctx, r.As, "cancelInvoice", r.InvoiceReference, "", func() error { return f.client.CancelInvoice(ctx, r) })
}

func (f faultyProvider) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (st seqr.PaymentStatus, err error) {
	err = f.do(ctx, r.As, "getPaymentStatus", r.InvoiceReference, "", func() error {
		st, err = f.client.GetPaymentStatus(ctx, r)
		return err
	})
	if err == nil {
		f.self.sim.answered(r.InvoiceReference)
	}
	if err == nil && st.Status != seqr.StatusIssued {
		f.self.sim.logf("%s getPaymentStatus %s: %s", f.self, r.InvoiceReference, st.Status)
	}
	return st, err
}

func (f faultyProvider) CommitReservation(ctx context.Context, r seqr.CommitReservation) error {
	return f.do(ctx, r.As, "commitReservation", r.InvoiceReference, "", func() error { return f.client.CommitReservation(ctx, r) })
}

func (f faultyProvider) SubmitPaymentReceipt(ctx context.Context, r seqr.SubmitPaymentReceipt) error {
	return f.do(ctx, r.As, "submitPaymentReceipt", r.ErsReference, "", func() error { return f.client.SubmitPaymentReceipt(ctx, r) })
}

func (f faultyProvider) RefundPayment(ctx context.Context, r seqr.RefundPayment) (done seqr.Refunded, err error) {
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

// answered notes that a poller has the status of an invoice.
func (sim *simulation) answered(ref string) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.polled[ref] = int64(time.Since(sim.begun))
}

// spendUnreachable uses up an unreachable fault of the operation, if one is due.
func (sim *simulation) spendUnreachable(op string) bool {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	for i := range sim.unreachable {
		f := &sim.unreachable[i]
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

func (i *instance) String() string { return fmt.Sprintf("%s#%d", i.worker, i.number) }
