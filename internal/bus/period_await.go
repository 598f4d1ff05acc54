package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

const lookAnew = 2 * time.Second

// AwaitPeriod waits until the period is reconciled or mismatched, and gives it. It fails with a
// *PeriodParkedError when the reconciler has parked it, and with ctx's error when that ends first; the
// period is then given as far as it had come.
func (b *Bus) AwaitPeriod(ctx context.Context, k events.PeriodKey) (events.Period, error) {
	changed := make(chan struct{}, 1)
	for stream, filter := range map[string]string{events.PeriodsStream: k.All(), events.ParkedStream: periodParked(k)} {
		stop, err := b.notice(ctx, stream, filter, changed)
		if err != nil {
			return events.Period{}, err
		}
		defer stop()
	}
	var p events.Period
	for {
		l, err := b.LoadPeriod(ctx, k)
		if err != nil || l.State.Ended() {
			return l.Period, err
		}
		p = l.Period
		if complaint, parked, err := b.PeriodParked(ctx, k); err != nil {
			return p, err
		} else if parked {
			return p, &PeriodParkedError{k, complaint}
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-changed:
		case <-time.After(lookAnew): // the notice may have died with a broker
		}
	}
}

// notice tells of the last message under the filter, and of every one that is stored from then on. A
// plain subscription would tell of it before it can be loaded.
func (b *Bus) notice(ctx context.Context, stream, filter string, changed chan<- struct{}) (stop func(), err error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	cons, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{filter}, DeliverPolicy: jetstream.DeliverLastPolicy, HeadersOnly: true, InactiveThreshold: scanForgotten,
	})
	if err != nil {
		return nil, err
	}
	cc, err := cons.Consume(func(jetstream.Msg) {
		select {
		case changed <- struct{}{}:
		default: // it is known already
		}
	})
	if err != nil {
		return nil, err
	}
	return func() {
		cc.Stop()
		<-cc.Closed()
		b.forget(ctx, s, cons.CachedInfo())
	}, nil
}
