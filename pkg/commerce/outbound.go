package commerce

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Notice is one event of an invoice that a shop's system is to be told.
type Notice struct {
	ID      string // of the event: the same in every attempt
	Name    events.Name
	Invoice events.Invoice // after the event
	At      time.Time      // when it happened
	Body    []byte         // the CloudEvent as it is stored
	// GoesOn says that the order is paid, or can still be paid, by another invoice: the end of this one is not the order's. It is known
	// of events that end an invoice.
	GoesOn bool
	// Withdrawn says that the order as a whole was canceled, and not this invoice alone, as a buyer does on the checkout page. It is known
	// of events that end an invoice.
	Withdrawn bool
}

// Outbound tells one system of one shop what happened to an invoice. It is safe for concurrent use.
type Outbound interface {
	// Deliver brings the shop's system up to date. It may be called again with the same notice after any outcome, and has no
	// second effect in the shop then. It makes its requests one after another, and ends with ctx.
	Deliver(ctx context.Context, n Notice) Result
}

// Doer makes one HTTP request; *http.Client implements it.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Status is what became of one attempt to deliver a notice.
type Status string

// The statuses of an attempt.
const (
	Delivered Status = "delivered" // the shop's system has taken it, now or in an earlier attempt
	Skipped   Status = "skipped"   // there is nothing to tell this system, or a person has moved the order on
	Refused   Status = "refused"   // the shop's system will not take it, however often it is asked: it is parked
	Again     Status = "again"     // it has to be tried again later
)

// Result is what one attempt came to.
type Result struct {
	Status Status
	Detail string        // for people, one sentence: what was done or what went wrong. It has no secret and no personal data
	Code   int           // HTTP status of the last answer; 0 where none came
	After  time.Duration // with Again: how long the system has asked us to wait; 0 where it has not said
}

// Done gives the result of a notice that the shop's system has.
func Done(format string, args ...any) Result {
	return Result{Status: Delivered, Detail: fmt.Sprintf(format, args...)}
}

// Skip gives the result of a notice that the shop's system need not have.
func Skip(format string, args ...any) Result {
	return Result{Status: Skipped, Detail: fmt.Sprintf(format, args...)}
}
