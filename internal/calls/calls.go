// Package calls says what the end of a provider call means: to the event that records it, and to the
// delivery that asked for it.
package calls

import (
	"errors"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Shops gives the credentials that a shop's payment calls are made with.
type Shops interface {
	Terminal(shop string) (seqr.Principal, bool)
}

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

// Credentials says that the provider refused who asks rather than what is asked: a person has to mend
// the settings, and the same message will then do.
func Credentials(err error) bool {
	code, ok := seqr.CodeOf(err)
	if !ok {
		return false
	}
	switch code {
	case seqr.AuthenticationFailed, seqr.AccessDenied, seqr.InvalidInitiatorPrincipalID,
		seqr.InvalidInitiatorPrincipalState, seqr.InitiatorPrincipalNotFound, seqr.LicenseRejection:
		return true
	}
	return false
}

// Repeatable is the outcome of a failed call that does no harm when it is made again. A provider that
// cannot be reached is waited for as long as it takes. One that answers with an error of its own, or
// with a SOAP fault, gets a bounded number of attempts; one that refuses gets none.
func Repeatable(err error) bus.Outcome {
	var fault *seqr.Fault
	_, answered := seqr.CodeOf(err)
	switch seqr.Classify(err) {
	case seqr.Done:
		return bus.Done
	case seqr.Refused:
		return bus.Park(err)
	case seqr.Unknown:
		if answered || errors.As(err, &fault) {
			return bus.Retry(err)
		}
	}
	return bus.Hold(err)
}
