package procs

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// lagging is how long an onlooker that is behind may see nothing before it looks anew: with the broker
// that it looks through, its consumer may be gone.
const lagging = 2 * time.Second

var (
	errClosed = errors.New("the consumer was closed")
	errStill  = errors.New("nothing comes, although there is more")
)

// Follow INVOICES until the test ends, whatever becomes of the brokers. each is told of every event, in
// order, and must not block.
func Follow(t testing.TB, b *bus.Bus, each func(events.Invoice)) *History {
	t.Helper()
	h := newHistory()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := h.look(ctx, b, each); err != nil && ctx.Err() == nil {
				t.Logf("onlooker at event %d: %v; looking anew", h.read(), err)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return h
}

// look reads on from the last event, until nothing comes although there is more.
func (h *History) look(ctx context.Context, b *bus.Bus, each func(events.Invoice)) error {
	once, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	cons, err := b.JetStream().OrderedConsumer(once, events.InvoicesStream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: h.read() + 1,
	})
	if err != nil {
		return err
	}
	var left atomic.Bool
	cc, err := cons.Consume(func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err != nil || left.Load() {
			return
		}
		e := bus.Entry{Subject: m.Subject(), Header: m.Headers(), Body: m.Data(), Seq: meta.Sequence.Stream}
		if inv, ok := h.take(e, meta.Timestamp); ok {
			each(inv)
		}
	}, jetstream.PullHeartbeat(time.Second), jetstream.PullExpiry(5*time.Second))
	if err != nil {
		return err
	}
	defer func() { left.Store(true); cc.Stop() }()
	return h.watch(ctx, b, cc)
}

// watch returns when the consuming has ended, or stands still although there is more.
func (h *History) watch(ctx context.Context, b *bus.Bus, cc jetstream.ConsumeContext) error {
	tick := time.NewTicker(lagging)
	defer tick.Stop()
	for before := h.read(); ; before = h.read() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-cc.Closed():
			return errClosed
		case <-tick.C:
		}
		if last, err := b.LastSeq(ctx, events.InvoicesStream); err == nil && last > before && h.read() == before {
			return errStill
		}
	}
}

// read is the sequence of the last event that was read.
func (h *History) read() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq
}
