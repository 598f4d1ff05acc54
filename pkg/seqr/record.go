package seqr

import (
	"context"
	"time"
)

// Recorder gets every exchange with the provider, as evidence and to find faults. Record is called at the end of every
// call, by the goroutine that makes the call and before the call returns. It must be safe for concurrent use, and may
// keep the exchange.
type Recorder interface{ Record(Exchange) }

// Exchange is one call as it went over the wire, with its secrets masked.
type Exchange struct {
	Operation  string
	About      string    // as given to WithAbout; may be empty
	At         time.Time // when the call began
	Duration   time.Duration
	Request    []byte
	Response   []byte // as far as it was read, decompressed and in UTF-8
	HTTPStatus int    // 0 without an answer of HTTP
	Sent       SentState
	Status     InvoiceStatus // of the invoice, in a successful answer to getPaymentStatus; else empty
	Code       *ResultCode   // nil unless Sent is Answered
	Err        string        // the text of the error; empty on success
}

type aboutKey struct{}

// WithAbout returns a context whose calls are recorded as about something, for instance an invoice. It has no effect on
// the calls.
func WithAbout(ctx context.Context, about string) context.Context {
	return context.WithValue(ctx, aboutKey{}, about)
}

func aboutOf(ctx context.Context) string {
	s, _ := ctx.Value(aboutKey{}).(string)
	return s
}
