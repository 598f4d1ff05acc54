package bus

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Outcome is what became of a delivery. The bus acts on it; a handler never acknowledges by itself.
type Outcome struct {
	kind  kind
	err   error
	after time.Duration
}

type kind string

const (
	done  kind = "done"
	retry kind = "retry"
	hold  kind = "hold"
	park  kind = "park"
)

// Done is the outcome of a delivery that needs nothing more.
var Done = Outcome{kind: done}

// Retry the delivery after the worker's backoff; after its last attempt it is parked with err.
func Retry(err error) Outcome { return Outcome{kind: retry, err: err} }

// Hold the delivery until something else has happened: it comes again after a pause, any number of
// times, and never parks. For a provider that is down and for an order that is not paid yet.
func Hold(why error) Outcome { return Outcome{kind: hold, err: why} }

// HoldFor is Hold with a pause of its own.
func HoldFor(d time.Duration, why error) Outcome { return Outcome{kind: hold, err: why, after: d} }

// Park keeps the delivery on PARKED, with the reason, for a person to see.
func Park(reason error) Outcome { return Outcome{kind: park, err: reason} }

// Err is why the delivery is not done.
func (o Outcome) Err() error { return o.err }

// IsDone, IsParked and Waits tell outcomes apart in tests and metrics.
func (o Outcome) IsDone() bool   { return o.kind == done }
func (o Outcome) IsParked() bool { return o.kind == park }
func (o Outcome) Waits() bool    { return o.kind == hold || o.kind == retry }

func (o Outcome) String() string {
	if o.err == nil {
		return string(o.kind)
	}
	return string(o.kind) + ": " + o.err.Error()
}

// Recorded is the outcome of an Update: done, or again when the broker could not be reached.
func Recorded(err error) Outcome {
	if err != nil {
		return Hold(err)
	}
	return Done
}

// Backoff of a worker's retries: exponential with jitter.
type Backoff struct{ First, Most time.Duration }

// after gives the pause before the n-th repetition, n from 1.
func (b Backoff) after(n int) time.Duration {
	e := backoff.NewExponentialBackOff(backoff.WithInitialInterval(b.First), backoff.WithMaxInterval(b.Most), backoff.WithMaxElapsedTime(0))
	d := e.NextBackOff()
	for range min(n, 30) - 1 {
		d = e.NextBackOff()
	}
	return d
}

// Handler does one step for one delivery. It keeps nothing between deliveries.
type Handler func(context.Context, Delivery) Outcome
