package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// hooked is a client some of whose calls are replaced.
type hooked struct {
	*seqr.Client
	cancel func(context.Context, seqr.CancelInvoice) error
	refund func(context.Context, seqr.RefundPayment) (seqr.Refunded, error)
}

func (h hooked) CancelInvoice(ctx context.Context, r seqr.CancelInvoice) error {
	if h.cancel != nil {
		return h.cancel(ctx, r)
	}
	return h.Client.CancelInvoice(ctx, r)
}

func (h hooked) RefundPayment(ctx context.Context, r seqr.RefundPayment) (seqr.Refunded, error) {
	if h.refund != nil {
		return h.refund(ctx, r)
	}
	return h.Client.RefundPayment(ctx, r)
}

// payer refunds whatever it is asked for, unless answer gives an error. It is safe for concurrent use.
type payer struct {
	mu     sync.Mutex
	paid   []string
	answer func(n int, p seqr.RefundPayment) error // n is the number of the call, from 1
	calls  int
}

func (p *payer) hook(c *seqr.Client) hooked {
	return hooked{Client: c, refund: func(_ context.Context, c seqr.RefundPayment) (seqr.Refunded, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls++
		if p.answer != nil {
			if err := p.answer(p.calls, c); err != nil {
				return seqr.Refunded{}, err
			}
		}
		p.paid = append(p.paid, fmt.Sprintf("%s of %s", c.Invoice.Total.Value.Trim(0), c.Invoice.ClientInvoiceID))
		return seqr.Refunded{ErsReference: fmt.Sprintf("refund-%d", p.calls)}, nil
	}}
}

// expect checks which refunds were paid.
func (p *payer) expect(t *testing.T, want ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.paid, want) {
		t.Errorf("the provider refunded %v, expected %v", p.paid, want)
	}
}

func (p *payer) expectCalls(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls != n {
		t.Errorf("the provider was asked for %d refunds, expected %d", p.calls, n)
	}
}

func (p *payer) called() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

func refundError(sent seqr.SentState, code seqr.ResultCode, err error) error {
	return &seqr.Error{Operation: "refundPayment", Sent: sent, Code: code, Err: err}
}

func code(c seqr.ResultCode) error { return refundError(seqr.Answered, c, nil) }
func noAnswer() error              { return refundError(seqr.MaybeSent, 0, context.DeadlineExceeded) }
func notSent() error               { return refundError(seqr.NotSent, 0, errors.New("no route to the provider")) }

// signal is a channel, and a function that sends to it without waiting.
func signal() (ch chan struct{}, send func()) {
	ch = make(chan struct{}, 100)
	return ch, func() {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
