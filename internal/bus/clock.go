package bus

import (
	"context"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// MaxSkew is how far this machine's clock may be from the broker's. A process whose clock is further away decides nothing by the
// time: see [Bus.ClockKnown].
const MaxSkew = 2 * time.Second

// MeasureClock compares this machine's clock with the broker's, gives the difference, and keeps it for Now. It is positive when
// the broker's clock is ahead, and right to half the time that the request takes.
func (b *Bus) MeasureClock(ctx context.Context) (time.Duration, error) {
	if _, err := b.stream(ctx, events.InvoicesStream); err != nil { // not a part of what is timed
		return 0, err
	}
	begun, asked := time.Now(), b.cfg.Clock()
	info, err := b.info(ctx, events.InvoicesStream)
	if err != nil {
		return 0, err
	}
	skew := info.TimeStamp.Sub(asked.Add(time.Since(begun) / 2))
	if was := b.clockSkew(); skew.Abs() > MaxSkew && was.Abs() <= MaxSkew {
		b.log.Error().Dur("skew", skew).Msg("this machine's clock and the broker's are apart: run a time service such as chrony on both; until then nothing expires here")
	}
	b.skew.Store(int64(skew))
	b.measured.Store(true)
	b.metrics.skew.Set(skew.Seconds())
	return skew, nil
}

// clockSkew gives what MeasureClock found last; 0 before the first time.
func (b *Bus) clockSkew() time.Duration { return time.Duration(b.skew.Load()) }

// Now gives the time that events are stamped with and deadlines are judged by: this machine's, corrected to the broker's as it was measured last.
func (b *Bus) Now() time.Time { return b.now().Add(b.clockSkew()) }

// ClockKnown says whether a decision may rest on Now: the clocks were compared and are no more than MaxSkew apart.
func (b *Bus) ClockKnown() bool { return b.measured.Load() && b.clockSkew().Abs() <= MaxSkew }

const (
	clockEvery = 30 * time.Second // between two measurements of a process with a consumer
	clockFirst = time.Second      // between two tries before the first measurement
	clockWait  = 2 * time.Second  // for the first try, before any message is handled
)

// AwaitClock measures the clock unless that was done: what a worker handles first is stamped and judged by Now too. It waits no longer than
// clockWait; where the broker does not answer by then, the clock is measured later. Work calls it. A worker that leases by itself does so
// first if what it does rests on Now; the poller does not wait, and asks [Bus.ClockKnown].
func (b *Bus) AwaitClock(ctx context.Context) {
	if b.measured.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clockWait)
	defer cancel()
	if _, err := b.MeasureClock(ctx); err != nil {
		b.log.Debug().Err(err).Msg("comparing clocks")
	}
}

// watchClock measures the clock, and looks whether the broker was restored, until ctx ends.
func (b *Bus) watchClock(ctx context.Context) error {
	for {
		if _, err := b.MeasureClock(ctx); err != nil && ctx.Err() == nil {
			b.log.Debug().Err(err).Msg("comparing clocks")
		}
		if _, err := b.RestoredAt(ctx); err != nil && ctx.Err() == nil { // so that it is known how far the stream was
			b.log.Debug().Err(err).Msg("comparing the stream with what was seen of it")
		}
		every := clockEvery
		if !b.measured.Load() {
			every = clockFirst
		}
		if !pause(ctx, every) {
			return nil
		}
	}
}
