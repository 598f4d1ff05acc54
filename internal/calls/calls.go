// Package calls is what the workers that call the provider have in common.
//
// consume.go gives them their messages, of the shops and terminals that they have credentials of (shops.go). [Of] describes a
// call for the event that rests on it, and outcome.go says what becomes of the delivery that asked for it.
package calls

import (
	"errors"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Of describes a call that began at begun and ended with err, for the event that rests on it.
func Of(operation string, begun time.Time, err error) *events.Call {
	c := &events.Call{Operation: operation, Outcome: seqr.Answered.String(), Millis: time.Since(begun).Milliseconds()}
	var e *seqr.Error
	switch {
	case err == nil:
		code := int(seqr.Success)
		c.Code = &code
	case errors.As(err, &e) && e.Sent == seqr.Answered:
		code := int(e.Code)
		c.Code, c.Description = &code, e.Code.String()
	case errors.As(err, &e):
		c.Outcome, c.Description = e.Sent.String(), err.Error()
	default:
		c.Outcome, c.Description = seqr.MaybeSent.String(), err.Error()
	}
	return c
}
