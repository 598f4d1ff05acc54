package seqr

import (
	"context"
	"time"
)

// Recorder is given every exchange with the provider, for evidence and fault finding. It is called
// before the operation returns, by whichever goroutine called it, and may keep what it is given.
type Recorder interface{ Record(Exchange) }

// Exchange is one call as it went over the wire, with passwords masked.
type Exchange struct {
	Operation  string
	About      string // what the caller said with WithAbout
	At         time.Time
	Duration   time.Duration
	Request    []byte
	Response   []byte // as far as it was read, decompressed
	HTTPStatus int    // 0 without an answer
	Sent       SentState
	Code       *ResultCode // nil unless the provider answered
	Err        string      // empty on success
}

type aboutKey struct{}

// WithAbout says what the calls made under ctx are about, for instance an invoice, so that a recorder can
// file them. It has no effect on the calls.
func WithAbout(ctx context.Context, about string) context.Context {
	return context.WithValue(ctx, aboutKey{}, about)
}

func aboutOf(ctx context.Context) string {
	s, _ := ctx.Value(aboutKey{}).(string)
	return s
}
