package seqr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// call describes one operation's exchange to the machinery that all of them share.
type call struct {
	operation string
	as        *Principal     // nil: the operation takes no context
	secrets   []Secret       // others than the principal's password
	write     func(*encoder) // the operation's children after its context; nil: none
	// read takes an element of the answer that is not common to all; nil: there is none of interest.
	read func(*scanner, []byte) error
	// check says what a successful answer lacks, if it is of no use without.
	check func() error

	report bool // the answer may be large and slow
	alone  bool // travels on a connection of its own
}

// outcome is what the exchange came to, before it is judged.
type outcome struct {
	sent   SentState
	status int
	body   []byte
	cut    bool // there was more of the body, or should have been
	answer answer
	err    error
}

// do makes the call, and reports every way to fail as an *Error.
func (c *Client) do(ctx context.Context, k call) (answer, error) {
	in, out := c.borrow(), c.borrow()
	started := time.Now()
	k.encode(c.config, in, false)
	limited, cancel := context.WithTimeout(ctx, c.timeoutOf(k))
	defer cancel()
	o, reusable := c.exchange(limited, k, in, out)
	if o.err == nil {
		o.judge(limited, k)
	}
	err := o.error(k)
	c.record(ctx, k, started, o, err)
	if c.config.Observe != nil {
		c.config.Observe(k.operation, Classify(err), time.Since(started))
	}
	if reusable {
		c.giveBack(in)
	}
	c.giveBack(out)
	return o.answer, err
}

func (c *Client) timeoutOf(k call) time.Duration {
	if k.report {
		return c.config.ReportTimeout
	}
	return c.config.Timeout
}

// exchange writes the request and reads the answer. It reports whether nothing holds the request's memory
// any longer: the transport may go on reading it when an answer came early.
func (c *Client) exchange(ctx context.Context, k call, in, out *buffer) (outcome, bool) {
	if err := ctx.Err(); err != nil {
		return outcome{sent: NotSent, err: err}, true
	}
	limit, transport := c.config.MaxResponse, c.shared
	if k.report {
		limit = c.config.MaxReport
	}
	if k.alone {
		transport = c.single
	}
	f := flight{ours: c.ours}
	response, err := transport.RoundTrip(f.request(ctx, &c.target, in.b))
	if err != nil {
		return outcome{sent: f.abort(), err: because(ctx, err)}, f.released()
	}
	defer response.Body.Close()
	o := outcome{status: response.StatusCode}
	o.body, err = readAtMost(out, response, limit)
	if err != nil {
		o.cut, o.err = true, because(ctx, err)
	} else {
		o.body, o.err = toUTF8(ctx, o.body, response.Header.Get("Content-Type"))
	}
	return o, f.released()
}

// released tells whether the transport is done with the request's memory.
func (f *flight) released() bool {
	if f.gate != nil {
		f.gate.shut()
		return true
	}
	return f.written.Load()
}

// because names the deadline where it is the reason that the network gave up.
func because(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// believedLength is how much memory an answer gets on the mere word of its header.
const believedLength = 4 << 20

var errTooLarge = errors.New("the answer is larger than allowed")

// readAtMost reads the answer's body. The limit is on what comes out of it, also where it is compressed.
func readAtMost(out *buffer, r *http.Response, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	body, length, err := plainBody(r, limit)
	if err != nil {
		return nil, err
	}
	b := out.b[:0]
	if expected := min(length, believedLength) + 1; int64(cap(b)) < expected {
		b = make([]byte, 0, expected)
	} else if cap(b) == 0 {
		b = make([]byte, 0, 4<<10)
	}
	for {
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		out.b = b
		switch {
		case int64(len(b)) > limit:
			return b[:limit], errTooLarge
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		case len(b) == cap(b):
			b = append(b, 0)[:len(b)]
		}
	}
}

// judge reads the verdict out of the answer. A success under an HTTP status that says otherwise is no
// verdict, nor is one that lacks what it is for.
func (o *outcome) judge(ctx context.Context, k call) {
	a, err := decodeAnswer(ctx, o.body, k.operation, k.read)
	switch {
	case err != nil:
		o.err = err
		return
	case a.code == Success && o.status != http.StatusOK:
		o.err = errors.New("the answer says success, the HTTP status does not")
		return
	case a.code == Success && k.check != nil:
		if o.err = k.check(); o.err != nil {
			return
		}
	}
	o.sent, o.answer = Answered, a
}

func (o *outcome) error(k call) error {
	e := &Error{Operation: k.operation, Sent: o.sent, HTTPStatus: o.status}
	switch {
	case o.err != nil:
		e.Err = k.hide(o.err)
	case o.answer.code == Success:
		return nil
	default:
		e.Code, e.Description = o.answer.code, shorten(k.mask(o.answer.description, false))
	}
	return e
}
