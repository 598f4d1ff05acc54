package calls

import (
	"errors"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// OutcomeOf is what becomes of a delivery whose call failed and does no harm when it is made again. A provider that cannot
// be reached, or is busy, is waited for as long as it takes. One that answers with an error of its own, or with a SOAP
// fault, gets a bounded number of attempts; one that refuses gets none.
func OutcomeOf(err error) bus.Outcome {
	switch {
	case err == nil:
		return bus.Done.Asked()
	case seqr.IsUnanswered(err):
		return bus.Unanswered(err)
	case seqr.IsRefused(err):
		return bus.Park(err).Asked()
	case seqr.IsProviderFailure(err):
		return bus.Retry(err).Asked()
	case seqr.IsOutcomeUnknown(err):
		return bus.Unanswered(err)
	}
	return bus.Snooze(err).Asked()
}

// Elsewhere is what becomes of a delivery about an invoice of a terminal whose credentials this copy lacks: another copy may
// have them; when none has, a person has to see it.
func Elsewhere(err error) bus.Outcome {
	var e *NoCredentials
	if errors.As(err, &e) {
		return bus.Elsewhere(e.Terminal, err)
	}
	return bus.Park(err)
}
