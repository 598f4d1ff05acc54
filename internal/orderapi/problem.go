package orderapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// writeProblem answers with a problem before the request reaches an operation.
func writeProblem(w http.ResponseWriter, status int, detail string, errors ...*huma.ErrorDetail) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The client may have gone; then nobody reads the answer.
	_ = json.NewEncoder(w).Encode(problemOf(status, detail, errors...))
}

const notAsExpected = "the body is not as expected"

// wrong is the problem of a body that is not as it should be: it names each field.
func wrong(err error) error {
	p := &huma.ErrorModel{Title: http.StatusText(http.StatusUnprocessableEntity), Status: http.StatusUnprocessableEntity, Detail: notAsExpected}
	var problems events.Problems
	var one events.Problem
	switch {
	case errors.As(err, &one):
		problems = events.Problems{one}
	case !errors.As(err, &problems):
		p.Detail = err.Error()
		return p
	}
	for _, one := range problems {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: "body." + one.Path, Message: one.Expected})
	}
	return p
}

// notAvailable is all that a shop is told of the broker's errors; the log has the rest.
const notAvailable = "the broker did not answer in time; try again"

func (a *API) unavailable(err error) error {
	a.Log.Warn().Err(err).Msg("api: the broker did not do its part")
	return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(notAvailable), http.Header{"Retry-After": {"1"}})
}
