package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Outcome is what became of a delivery. The bus acts on it; a handler never acknowledges by itself.
type Outcome struct {
	kind  kind
	err   error
	after time.Duration
	asked bool // the provider was asked, and answered
	waits bool // nothing failed: something else has to happen first

	terminal string // whose credentials this copy lacks
}

type kind string

const (
	done    kind = "done"
	retry   kind = "retry"
	snooze  kind = "snooze"
	silent  kind = "unanswered"
	park    kind = "park"
	dropped kind = "dropped" // the lease was lost before a handler had it

	elsewhere kind = "elsewhere"
)

// Done is the outcome of a delivery that needs nothing more.
var Done = Outcome{kind: done}

// Dropped is the outcome of a delivery that another copy may have: see [Delivery.Lost]. Nothing is told to the broker.
var Dropped = Outcome{kind: dropped}

// Retry the delivery after the worker's backoff; after its last attempt it is parked with err.
func Retry(err error) Outcome { return Outcome{kind: retry, err: err} }

// Wait until something else has happened, such as the payment: nothing has failed. The delivery comes again after a pause
// that grows with its age, any number of times, and never parks.
func Wait(what string) Outcome { return SnoozeFor(0, errors.New(what)) }

// SnoozeFor is Wait with a pause of its own; 0 is the usual one.
func SnoozeFor(d time.Duration, why error) Outcome {
	return Outcome{kind: snooze, waits: true, err: why, after: d}
}

// Snooze the delivery because the broker failed, or, with Asked, because the provider is busy: it comes again as with Wait.
func Snooze(why error) Outcome { return Outcome{kind: snooze, err: why} }

// Elsewhere is the outcome of a delivery that needs the credentials of a terminal which this copy lacks: another copy gets it,
// and it is parked with err when none has them.
func Elsewhere(terminal string, err error) Outcome {
	return Outcome{kind: elsewhere, err: err, terminal: terminal}
}

// Unanswered is the outcome when the provider gave no answer: the delivery waits as in Snooze, and after some of them in a
// row its terminal is probed before anything else of it is tried.
func Unanswered(err error) Outcome { return Outcome{kind: silent, err: err} }

// Asked notes that the provider answered, whatever it said: its terminal may be asked for more at once.
func (o Outcome) Asked() Outcome {
	o.asked = true
	return o
}

// ranks says which of two outcomes a delivery has that asked for two things: it comes again until neither waits, and only
// then a person has to see what is left.
var ranks = map[kind]int{done: 0, park: 1, elsewhere: 2, retry: 3, snooze: 4, silent: 5, dropped: 6}

// And is the outcome of a delivery that asked for two things, of which one ended as o and the other as p.
func (o Outcome) And(p Outcome) Outcome {
	asked := o.asked || p.asked
	if ranks[p.kind] > ranks[o.kind] || p.kind == o.kind && p.after > 0 && (o.after == 0 || p.after < o.after) {
		o = p
	}
	o.asked = asked
	return o
}

// label of the outcome in metrics and logs: done, park, dropped, or why the delivery comes again.
func (o Outcome) label() string {
	switch {
	case o.kind == silent:
		return ReasonUnanswered
	case o.kind == retry:
		return ReasonError
	case o.kind == snooze && o.waits:
		return ReasonWaiting
	case o.kind == snooze && o.asked:
		return ReasonBusy
	case o.kind == snooze:
		return ReasonBroker
	case o.kind == elsewhere:
		return ReasonElsewhere
	}
	return string(o.kind)
}

func (o Outcome) answer() answer {
	switch {
	case o.kind == silent:
		return unanswered
	case o.asked:
		return answered
	}
	return noCall
}

// Park keeps the delivery on PARKED, with the reason, for a person to see.
func Park(reason error) Outcome { return Outcome{kind: park, err: reason} }

// Err is why the delivery is not done.
func (o Outcome) Err() error { return o.err }

// IsDone says that the delivery is finished.
func (o Outcome) IsDone() bool { return o.kind == done }

// IsParked says that the delivery goes to PARKED.
func (o Outcome) IsParked() bool { return o.kind == park }

// Waits says that the delivery comes again.
func (o Outcome) Waits() bool {
	return o.kind == snooze || o.kind == silent || o.kind == retry || o.kind == dropped
}

func (o Outcome) String() string {
	if o.err == nil {
		return string(o.kind)
	}
	return string(o.kind) + ": " + o.err.Error()
}

// Recorded is the outcome of an Update: done, or again when the broker could not be reached.
func Recorded(err error) Outcome {
	if err != nil {
		return Snooze(err)
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

// atAge gives the pause of a delivery that waits for something else: a quarter of its age, so the pauses grow, whichever
// copy has it and after whatever restart.
func (b Backoff) atAge(age time.Duration) time.Duration {
	d := min(max(age/4, b.First), b.Most)
	return d*3/4 + rand.N(max(d/4, 1))
}

// Handler does one step for one delivery. It keeps nothing between deliveries.
type Handler func(context.Context, Delivery) Outcome
