package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Outcome is what became of a delivery: a handler returns it, and the bus acts on it.
type Outcome struct {
	kind  kind
	err   error
	after time.Duration
	asked bool // the provider was asked, and answered
	waits bool // nothing failed: something else has to happen first

	terminal string // of which this copy lacks the credentials
}

type kind string

const (
	done    kind = "done"
	retry   kind = ReasonError
	snooze  kind = "snooze"
	silent  kind = ReasonUnanswered
	busy    kind = ReasonBusy
	park    kind = "park"
	dropped kind = "dropped" // the lease was lost

	elsewhere kind = ReasonElsewhere
)

// Done is the outcome of a delivery that needs nothing more.
var Done = Outcome{kind: done}

// Dropped is the outcome of a delivery that another copy may have: see [Delivery.Lost]. The broker is told nothing.
var Dropped = Outcome{kind: dropped}

// Retry is the outcome of a delivery that failed: it comes again after the worker's backoff, and is parked with err after the
// consumer's Attempts.
func Retry(err error) Outcome { return Outcome{kind: retry, err: err} }

// Wait is the outcome of a delivery that can do nothing until something else has happened, such as the payment: nothing has failed.
// The delivery comes again after a quarter of its age, within the limits of the backoff, any number of times, and is never parked.
func Wait(what string) Outcome { return SnoozeFor(0, errors.New(what)) }

// SnoozeFor is Wait with another pause, no longer than the backoff's Most; 0 is the pause of Wait.
func SnoozeFor(d time.Duration, why error) Outcome {
	return Outcome{kind: snooze, waits: true, err: why, after: d}
}

// Snooze is the outcome of a delivery for which the broker failed, or, with Asked, for which the provider's answer is not ready: it comes
// again as with Wait.
func Snooze(why error) Outcome { return Outcome{kind: snooze, err: why} }

// Elsewhere is the outcome of a delivery that needs the credentials of a terminal which this copy lacks: another copy gets it, and it
// is parked with err when no copy has them.
func Elsewhere(terminal string, err error) Outcome {
	return Outcome{kind: elsewhere, err: err, terminal: terminal}
}

// Unanswered is the outcome of a delivery to which the provider gave no answer: it comes again as with Wait. After three of them in a
// row the terminal counts as silent: it is probed, and no delivery of it is tried until it answers.
func Unanswered(err error) Outcome { return Outcome{kind: silent, err: err} }

// Busy is the outcome of a delivery to which the provider answered that it cannot work now. All else is as with Unanswered: more calls
// would not help the provider.
func Busy(err error) Outcome { return Outcome{kind: busy, err: err} }

// Asked gives the outcome with the note that the provider answered, whatever it said: more calls of its terminal may be under way at
// once.
func (o Outcome) Asked() Outcome {
	o.asked = true
	return o
}

// ranks says which outcome a delivery has that asked for two things, the higher one: it comes again until neither waits, and is
// parked only then.
var ranks = map[kind]int{done: 0, park: 1, elsewhere: 2, retry: 3, snooze: 4, busy: 5, silent: 6, dropped: 7}

// And gives the outcome of a delivery that asked for two things, of which one ended as o and the other as p.
func (o Outcome) And(p Outcome) Outcome {
	asked := o.asked || p.asked
	if ranks[p.kind] > ranks[o.kind] || p.kind == o.kind && p.after > 0 && (o.after == 0 || p.after < o.after) {
		o = p
	}
	o.asked = asked
	return o
}

// Label gives the outcome's name in metrics and logs: done, park, dropped, or the reason why the delivery comes again.
func (o Outcome) Label() string {
	switch {
	case o.kind != snooze:
		return string(o.kind)
	case o.waits:
		return ReasonWaiting
	case o.asked:
		return ReasonBusy
	}
	return ReasonBroker
}

// answer gives what the outcome says about the terminal.
func (o Outcome) answer() answer {
	switch {
	case o.kind == silent || o.kind == busy:
		return unanswered
	case o.asked:
		return answered
	}
	return noCall
}

// Park is the outcome of a delivery that no repetition helps: it is kept on PARKED, with the reason, for a person to see.
func Park(reason error) Outcome { return Outcome{kind: park, err: reason} }

// Err gives the reason why the delivery is not done; nil for Done.
func (o Outcome) Err() error { return o.err }

// IsDone says whether the delivery needs nothing more.
func (o Outcome) IsDone() bool { return o.kind == done }

// Waits says whether the delivery comes again, to this or another copy.
func (o Outcome) Waits() bool {
	return o.kind == snooze || o.kind == silent || o.kind == busy || o.kind == retry || o.kind == dropped
}

// Recorded gives the outcome of a delivery whose last step was to record something: Done, or Snooze with the error.
func Recorded(err error) Outcome {
	if err != nil {
		return Snooze(err)
	}
	return Done
}

// Backoff is how long the pauses between the attempts of a delivery are: they begin with First and grow exponentially, with jitter,
// up to Most.
type Backoff struct{ First, Most time.Duration }

// After gives the pause before the n-th repetition, n from 1.
func (b Backoff) After(n int) time.Duration {
	e := backoff.NewExponentialBackOff(backoff.WithInitialInterval(b.First), backoff.WithMaxInterval(b.Most), backoff.WithMaxElapsedTime(0))
	d := e.NextBackOff()
	for range min(n, 30) - 1 {
		d = e.NextBackOff()
	}
	return d
}

// atAge gives the pause of a delivery that waits for something else: a quarter of its age, so the pauses grow, whichever copy has the
// delivery and after any restart.
func (b Backoff) atAge(age time.Duration) time.Duration {
	d := min(max(age/4, b.First), b.Most)
	return d*3/4 + rand.N(max(d/4, 1))
}

// Handler does one step for one delivery and says what became of it. It is called concurrently, for different orders or invoices, and
// keeps nothing between deliveries.
type Handler func(context.Context, Delivery) Outcome

// OfInvoice gives the handler of a consumer of INVOICES that calls handle with the invoice as it was after the event, and as it is now.
func (b *Bus) OfInvoice(handle func(ctx context.Context, d Delivery, event events.Invoice, now Loaded) Outcome) Handler {
	return func(ctx context.Context, d Delivery) Outcome {
		event, err := d.Invoice()
		if err != nil {
			return b.NotOurs(ctx, d, err)
		}
		now, err := b.Load(ctx, d.Key())
		if err != nil {
			return Snooze(err)
		}
		return handle(ctx, d, event, now)
	}
}
