package seqr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr/internal/soap"
)

// call is one call of an operation: what its request has, and how its answer is read.
type call struct {
	operation string
	as        *Principal     // nil: the request has no context
	secrets   []Secret       // all but the principal's password
	write     func(*encoder) // writes the request's elements after the context; nil: there are none
	// read reads an element of the answer that not all operations have; nil: the operation needs none.
	read func(s *soap.Scanner, name []byte) error
	// check says what a successful answer lacks that it is of no use without; nil: nothing.
	check func() error
	// status is where read puts the status of an invoice, for the recorder; nil: the answer has none.
	status *InvoiceStatus

	report  bool // the answer may be large and slow
	ownConn bool // the request gets a connection of its own
}

// outcome is how the exchange ended.
type outcome struct {
	sent    SentState
	status  int // of HTTP
	body    []byte
	charset string // that the body was decoded from; "" is UTF-8
	cut     bool   // there was more of the body, or should have been
	answer  soap.Answer
	err     error
}

// do makes the call, and returns the ersReference of its answer. Every way to fail is an *Error.
func (c *Client) do(ctx context.Context, k call) (ersReference string, err error) {
	in, out := c.borrow(), c.borrow()
	started := time.Now()
	in.b = k.encode(&c.config, in.b, false)
	limited, cancel := context.WithTimeout(ctx, c.timeoutOf(k))
	defer cancel()
	o, reusable := c.exchange(limited, k, in, out)
	if o.err == nil {
		o.judge(limited, k)
	}
	err = o.error(k)
	c.record(ctx, k, started, o, err)
	if c.config.Observe != nil {
		c.config.Observe(k.operation, Classify(err), time.Since(started))
	}
	if reusable {
		c.giveBack(in)
	}
	c.giveBack(out)
	return o.answer.ErsReference, err
}

// doForID makes a call whose answer is of no use without the one element named.
func (c *Client) doForID(ctx context.Context, element string, k call) (id string, err error) {
	k.read = func(s *soap.Scanner, name []byte) (err error) {
		if string(name) == element {
			id, err = s.Token()
		}
		return err
	}
	k.check = func() error { return missing(id == "", element) }
	if _, err := c.do(ctx, k); err != nil {
		return "", err
	}
	return id, nil
}

// missing gives the error of an answer whose element is absent, without which it is of no use.
func missing(absent bool, element string) error {
	if absent {
		return errors.New("the answer has no " + element)
	}
	return nil
}

func (c *Client) timeoutOf(k call) time.Duration {
	if k.report {
		return c.config.ReportTimeout
	}
	return c.config.Timeout
}

// exchange writes the request and reads the answer. It reports whether the request's memory may be used again: the
// transport may still be reading it when an answer came early.
func (c *Client) exchange(ctx context.Context, k call, in, out *buffer) (outcome, bool) {
	if err := ctx.Err(); err != nil {
		return outcome{sent: NotSent, err: err}, true
	}
	limit, transport := c.config.MaxResponse, c.shared
	if k.report {
		limit = c.config.MaxReport
	}
	if k.ownConn {
		transport = c.single
	}
	var f flight
	response, err := transport.RoundTrip(f.request(ctx, &c.target, in.b))
	if err != nil {
		return outcome{sent: f.abort(), err: withCause(ctx, err)}, f.written.Load()
	}
	defer response.Body.Close()
	o := outcome{status: response.StatusCode}
	o.body, err = readBody(out, response, limit)
	if err != nil {
		o.cut, o.err = true, withCause(ctx, err)
	} else {
		o.body, o.charset, o.err = toUTF8(o.body, response.Header.Get("Content-Type"))
	}
	return o, f.written.Load()
}

// withCause adds the end of the context to an error of the network that it has caused.
func withCause(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// judge decides what the answer says. A success is not believed under an HTTP status that says otherwise, nor when it
// lacks what the operation is for.
func (o *outcome) judge(ctx context.Context, k call) {
	a, err := soap.ReadAnswer(ctx, o.body, k.operation, k.read)
	var fault *soap.Fault
	switch {
	case errors.As(err, &fault):
		err = &Fault{Code: fault.Code, Text: fault.Text}
	case err != nil || ResultCode(a.ResultCode) != Success:
	case o.status != http.StatusOK:
		err = errors.New("the answer says success, the HTTP status does not")
	case k.check != nil:
		err = k.check()
	}
	if o.err = err; err == nil {
		o.sent, o.answer = Answered, a
	}
}

func (o *outcome) error(k call) error {
	code := ResultCode(o.answer.ResultCode)
	if o.err == nil && code == Success {
		return nil
	}
	e := &Error{Operation: k.operation, Sent: o.sent, HTTPStatus: o.status}
	if m := k.masker(o.charset); o.err != nil {
		e.Err = m.hide(o.err)
	} else {
		e.Code, e.Description = code, shorten(m.mask(o.answer.Description, false))
	}
	return e
}
