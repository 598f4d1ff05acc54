package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrNothing is what a decision returns when there is nothing to record: an earlier delivery or another worker did it, or the
// state has moved on.
var ErrNothing = errors.New("nothing to record")

// maxConflicts bounds how often one update starts anew. Each conflict means that another writer got further, and what is
// written to has few messages.
const maxConflicts = 20

// version is a state as the last message of it says.
type version[T any] struct {
	state   T
	seq     uint64 // of that message: the next append expects it; 0 when there is no message
	eventID string // of that message
}

// updater appends to the states of one thing: an invoice, a period, an entry of the index, or what is parked under a subject.
type updater[T any] struct {
	name     string // of the thing, in errors
	load     func(context.Context) (version[T], error)
	append   func(ctx context.Context, expected uint64, next T, eventID string) error
	conflict func() // is called when another writer came first; nil is not
}

// update decides from a version and appends what was decided. When another writer comes first it decides again, from the newest
// version. It returns the state after that, or as it is when there is nothing to record. decide must be pure.
func (u updater[T]) update(ctx context.Context, at version[T], decide func(T) (T, error)) (T, error) {
	for range maxConflicts {
		next, err := decide(at.state)
		switch {
		case errors.Is(err, ErrNothing):
			return at.state, nil
		case err != nil:
			return at.state, err
		}
		id := nuid.Next()
		if err = u.append(ctx, at.seq, next, id); err == nil {
			return next, nil
		}
		if !isConflict(err) {
			return at.state, err
		}
		if at, err = u.load(ctx); err != nil {
			return at.state, err
		}
		if at.eventID == id {
			return at.state, nil // an answer was lost, the event was not
		}
		if u.conflict != nil {
			u.conflict()
		}
	}
	return at.state, fmt.Errorf("append to %s: %d conflicts in a row", u.name, maxConflicts)
}

// appended is an event that is stored only if the last sequence under its invoice's or period's subjects is the expected one.
type appended struct {
	events.Envelope
	name     string // of the event
	subject  string
	all      string // the subjects of the invoice or period
	expected uint64
	header   nats.Header
}

// appendEvent stores the event. While the broker does not answer it goes on with the same id and the same expectation, so that
// the event is there at most once, until ctx ends.
func (b *Bus) appendEvent(ctx context.Context, e appended) error {
	e.TraceParent = traceOf(ctx)
	if err := b.publishEvent(ctx, e.subject, e.header, e.Envelope, expect(e.expected, e.all)); err != nil {
		return fmt.Errorf("append %s: %w", e.name, err)
	}
	b.metrics.events.WithLabelValues(e.name).Inc()
	return nil
}
