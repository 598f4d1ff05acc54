package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/poller"
)

// pollCounter is a provider for a poller that notes when the status of each invoice was answered, apart from what the poller says of
// itself.
type pollCounter struct {
	poller.Provider
	*audit.Polls
	latency time.Duration // that an answer takes beyond the provider's own
}

func newPollCounter(p poller.Provider, latency time.Duration) pollCounter {
	return pollCounter{p, audit.NewPolls(), latency}
}

// GetPaymentStatus asks the provider and notes the answer.
func (c pollCounter) GetPaymentStatus(ctx context.Context, q seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	if c.latency > 0 {
		if err := waitFor(ctx, c.latency); err != nil {
			return seqr.PaymentStatus{}, err
		}
	}
	st, err := c.Provider.GetPaymentStatus(ctx, q)
	if err == nil {
		c.Answered(q.InvoiceReference, st.Status == seqr.StatusIssued)
	}
	return st, err
}

// alwaysIssued is a provider to which every invoice is open.
type alwaysIssued struct{}

// GetPaymentStatus answers ISSUED at once.
func (alwaysIssued) GetPaymentStatus(context.Context, seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	return seqr.PaymentStatus{Status: seqr.StatusIssued}, nil
}

// CommitReservation is never called: nothing is reserved.
func (alwaysIssued) CommitReservation(context.Context, seqr.CommitReservation) error { return nil }

// silentProvider is a provider for an invoicer that never answers the terminals for which isSilent is true. It counts the calls.
type silentProvider struct {
	*seqr.Client // that is answered
	silent       *seqr.Client
	server       *http.Server // takes connections and requests and never answers
	isSilent     func(terminal string) bool

	sent, probes         atomic.Int64 // sendInvoice and getPaymentStatus calls
	underWay, mostAtOnce atomic.Int64 // sendInvoice calls
}

func newSilentProvider(answering *seqr.Client, isSilent func(terminal string) bool) (*silentProvider, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &silentProvider{Client: answering, isSilent: isSilent}
	p.server = &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
		<-r.Context().Done()
	})}
	if p.silent, err = newClient("http://" + l.Addr().String()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	go func() { _ = p.server.Serve(l) }() // it ends with close
	return p, nil
}

func (p *silentProvider) close() error {
	p.silent.CloseIdle()
	return p.server.Close()
}

func (p *silentProvider) clientOf(as seqr.Principal) *seqr.Client {
	if p.isSilent(as.ID) {
		return p.silent
	}
	return p.Client
}

// SendInvoice makes an invoice.
func (p *silentProvider) SendInvoice(ctx context.Context, r seqr.SendInvoice) (seqr.SentInvoice, error) {
	p.sent.Add(1)
	n := p.underWay.Add(1)
	defer p.underWay.Add(-1)
	for most := p.mostAtOnce.Load(); n > most && !p.mostAtOnce.CompareAndSwap(most, n); most = p.mostAtOnce.Load() {
	}
	return p.clientOf(r.As).SendInvoice(ctx, r)
}

// GetPaymentStatus is the call by which an invoicer finds out whether a silent terminal answers again.
func (p *silentProvider) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	p.probes.Add(1)
	return p.clientOf(r.As).GetPaymentStatus(ctx, r)
}
