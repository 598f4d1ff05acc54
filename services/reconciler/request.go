package reconciler

import (
	"context"
	"errors"
	"fmt"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrUsed says that a closing of this name has been asked for before: it is never done twice.
var ErrUsed = errors.New("a closing of this name has been asked for before")

// RequestClose asks the reconciler to close a period under a name that was never used for the shop. For a name that was used,
// it gives the period as it is, and ErrUsed.
func RequestClose(ctx context.Context, b *bus.Bus, by, shop, period, why string) (events.Period, error) {
	fact := events.Fact{At: b.Now(), Why: why}
	used := false
	p, err := b.UpdatePeriod(ctx, by, events.PeriodKeyOf(shop, period), func(p events.Period) (events.Period, error) {
		if used = p.State != ""; used {
			return p, bus.ErrNothing
		}
		return p.ClosingAsked(shop, period, by, fact)
	})
	if err == nil && used {
		err = fmt.Errorf("%s/%s: %w", shop, period, ErrUsed)
	}
	return p, err
}

// ParkedError says that the reconciler has given up on a period until a person sends it back.
type ParkedError struct {
	Key    events.PeriodKey
	Parked events.Parked
}

func (e *ParkedError) Error() string {
	return fmt.Sprintf("closing %s is parked: %s", e.Key, e.Parked.Reason)
}

// Await waits until the period is reconciled or mismatched, and gives it. It fails with a *ParkedError when the reconciler has
// parked it, and with ctx's error when that ends first; the period is then given as far as it had come.
func Await(ctx context.Context, b *bus.Bus, k events.PeriodKey) (p events.Period, err error) {
	err = b.Follow(ctx, []bus.Source{
		{Stream: events.PeriodsStream, Filters: []string{k.All()}, All: true},
		{Stream: events.ParkedStream, Filters: []string{events.ParkedSubject(Name, k.Shop, k.Period)}, All: true},
	}, nil, func(bus.Entry) error {
		l, err := b.LoadPeriod(ctx, k)
		if err != nil {
			return err
		}
		if p = l.Period; p.State.Ended() {
			return bus.ErrStop
		}
		complaint, parked, err := b.LastParked(ctx, Name, k.Shop, k.Period)
		if err == nil && parked {
			err = &ParkedError{k, complaint}
		}
		return err
	})
	if err == nil && !p.State.Ended() {
		err = ctx.Err()
	}
	return p, err
}
