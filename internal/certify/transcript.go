package certify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// recorded is an exchange with its number and its messages read.
type recorded struct {
	seqr.Exchange
	n        int
	request  *node // the operation's element; nil when it cannot be read
	response *node // its return element; nil without an answer
}

func (x *recorded) ended() time.Time { return x.At.Add(x.Duration) }

// answered tells whether the provider has answered with this code.
func (x *recorded) answered(code seqr.ResultCode) bool { return x.Code != nil && *x.Code == code }

// reference gives the reference of the invoice, payment, period or terminal that the exchange is about; empty if there is none.
func (x *recorded) reference() string {
	return cmp.Or(x.request.word("invoiceReference"), x.response.word("invoiceReference"), x.request.word("ersReference"),
		x.request.parameter(seqr.ParamTransactionPeriodID), x.response.word("transactionPeriodId"), x.response.word("terminalId"))
}

// outcome describes how the exchange ended.
func (x *recorded) outcome() string {
	switch {
	case x.Code != nil && *x.Code == seqr.Success:
		return "0 SUCCESS"
	case x.Code != nil:
		return fmt.Sprintf("%d %s", int(*x.Code), *x.Code)
	case x.Err != "":
		return x.Err
	}
	return x.Sent.String()
}

// transcript keeps everything that goes over the wire and everything that the workers record. Its methods may be called
// concurrently, but for those that need it locked.
type transcript struct {
	mu       sync.Mutex
	calls    []*recorded
	invoices []events.Invoice
	parked   map[string]events.Parked // by the subject of what was parked
	changed  chan struct{}
}

func newTranscript() *transcript {
	return &transcript{parked: map[string]events.Parked{}, changed: make(chan struct{})}
}

// Record implements seqr.Recorder.
func (t *transcript) Record(x seqr.Exchange) {
	r := &recorded{Exchange: x}
	r.request, _ = payload(x.Request) // what cannot be read has no elements, and fails whatever looks for them
	if answer, err := payload(x.Response); err == nil {
		r.response = answer.at("return")
	}
	t.change(func() {
		r.n = len(t.calls) + 1
		t.calls = append(t.calls, r)
	})
}

// add keeps an event of the streams.
func (t *transcript) add(e bus.Entry) error {
	switch e.Stream {
	case events.InvoicesStream:
		inv, err := events.DecodeInvoice(e.Body)
		if err != nil {
			return err
		}
		t.change(func() { t.invoices = append(t.invoices, inv) })
	case events.ParkedStream:
		p, _, err := events.DecodeParked(e.Body)
		if err != nil {
			return err
		}
		t.change(func() { t.parked[p.Subject] = p })
	}
	return nil
}

func (t *transcript) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
	close(t.changed)
	t.changed = make(chan struct{})
}

var errNotSeen = errors.New("it did not happen in time")

// waitFor calls look, with the transcript locked, whenever it changes, until look has found something or gives an error.
func (t *transcript) waitFor(ctx context.Context, patience time.Duration, look func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errNotSeen)
	defer cancel()
	for {
		t.mu.Lock()
		changed := t.changed
		found, err := look()
		t.mu.Unlock()
		if found || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// find gives the first call that fits; the transcript is locked.
func (t *transcript) find(fits func(*recorded) bool) *recorded {
	for _, x := range t.calls {
		if fits(x) {
			return x
		}
	}
	return nil
}

// list gives all calls that fit.
func (t *transcript) list(fits func(*recorded) bool) []*recorded {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*recorded
	for _, x := range t.calls {
		if fits(x) {
			out = append(out, x)
		}
	}
	return out
}

// parkedError gives the reason for which a message about the id is parked; nil if none is. The transcript is locked.
func (t *transcript) parkedError(kind, shop, id string) error {
	for subject, p := range t.parked {
		a, err := events.ParseSubject(subject)
		if err == nil && a.Kind == kind && a.Shop == shop && a.ID == id {
			return fmt.Errorf("the %s has parked it: %s", p.Worker, p.Reason)
		}
	}
	return nil
}
