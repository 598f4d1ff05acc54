package bus

import (
	"context"
	"fmt"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// PeriodParkedError says that the reconciler has given up on a period until a person sends it back.
type PeriodParkedError struct {
	Key    events.PeriodKey
	Parked events.Parked
}

func (e *PeriodParkedError) Error() string {
	return fmt.Sprintf("closing %s is parked: %s", e.Key, e.Parked.Reason)
}

// AwaitPeriod waits until the period is reconciled or mismatched, and gives it. It fails with a
// *PeriodParkedError when the reconciler has parked it, and with ctx's error when that ends first; the
// period is then given as far as it had come.
func (b *Bus) AwaitPeriod(ctx context.Context, k events.PeriodKey) (p events.Period, err error) {
	err = b.Follow(ctx, []Source{
		{Stream: events.PeriodsStream, Filters: []string{k.All()}, All: true},
		{Stream: events.ParkedStream, Filters: []string{periodParked(k)}, All: true},
	}, nil, func(Entry) error {
		l, err := b.LoadPeriod(ctx, k)
		if err != nil {
			return err
		}
		if p = l.Period; p.State.Ended() {
			return ErrStop
		}
		complaint, parked, err := b.PeriodParked(ctx, k)
		if err == nil && parked {
			err = &PeriodParkedError{k, complaint}
		}
		return err
	})
	if err == nil && !p.State.Ended() {
		err = ctx.Err()
	}
	return p, err
}
