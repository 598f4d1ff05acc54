package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// LoadedPeriod is a period with its place on PERIODS. Seq is 0 when there is no message of it.
type LoadedPeriod struct {
	events.Period
	Key     events.PeriodKey
	Seq     uint64 // of the last message under the period's subjects
	eventID string // of that message
}

// ErrPeriodUnreadable says that a message on PERIODS is not an event of a period.
var ErrPeriodUnreadable = errors.New("unreadable period event")

// LoadPeriod gives the period as its last event has it. The error is ErrPeriodUnreadable if that cannot be read.
func (b *Bus) LoadPeriod(ctx context.Context, k events.PeriodKey) (LoadedPeriod, error) {
	l := LoadedPeriod{Key: k}
	last, err := b.last(ctx, events.PeriodsStream, k.All())
	if err != nil || last.Seq == 0 {
		return l, err
	}
	l.Seq, l.eventID = last.Seq, last.eventID()
	l.Period, err = DecodePeriod(last.Body)
	return l, err
}

// DecodePeriod reads the period out of an event of PERIODS. The error is ErrPeriodUnreadable.
func DecodePeriod(body []byte) (events.Period, error) {
	p, _, err := dataOf[*events.Period](body)
	switch {
	case err != nil:
		return events.Period{}, fmt.Errorf("%w: %w", ErrPeriodUnreadable, err)
	case p == nil:
		return events.Period{}, fmt.Errorf("%w: data: missing", ErrPeriodUnreadable)
	}
	return *p, nil
}

// DecidePeriod gives the period after the event that is to be recorded, or ErrNothing. Like [Decide] it must be pure.
type DecidePeriod func(events.Period) (events.Period, error)

// UpdatePeriod records one event of a period, as [Bus.Update] does of an invoice.
func (b *Bus) UpdatePeriod(ctx context.Context, worker string, k events.PeriodKey, decide DecidePeriod) (events.Period, error) {
	load := func(ctx context.Context) (version[events.Period], error) {
		l, err := b.LoadPeriod(ctx, k)
		return version[events.Period]{l.Period, l.Seq, l.eventID}, err
	}
	at, err := load(ctx)
	if err != nil {
		return events.Period{}, err
	}
	return updater[events.Period]{
		name: k.String(), conflict: func() { b.metrics.conflicts.WithLabelValues(worker).Inc() }, load: load,
		append: func(ctx context.Context, expected uint64, next events.Period, id string) error {
			return b.appendPeriod(ctx, worker, k, expected, next, id)
		},
	}.update(ctx, at, decide)
}

func (b *Bus) appendPeriod(ctx context.Context, worker string, k events.PeriodKey, expected uint64, next events.Period, id string) error {
	c := next.Change
	e, err := events.NewEnvelope(id, events.SourceOf(events.Actor(worker)), "period."+string(c.Event), next.Shop+"/"+next.Period, c.At, next)
	if err != nil {
		return err
	}
	if err := b.appendEvent(ctx, appended{e, string(c.Event), k.Subject(string(c.Event)), k.All(), expected, nats.Header{}}); err != nil {
		return err
	}
	b.log.Info().Str("worker", worker).Str("shop", k.Shop).Str("period", k.Period).
		Str("event", string(c.Event)).Str("from", string(c.From)).Str("why", c.Why).Msg("recorded")
	return nil
}
