package procs

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Idle says who has work left: every worker's consumer that has not had and acknowledged everything. Each is asked for by
// its name: a cluster's list leaves out, without a word, a consumer whose leader does not answer.
func Idle(ctx context.Context, b *bus.Bus) (busy string) {
	for _, stream := range []string{events.OrdersStream, events.InvoicesStream, events.PeriodsStream, events.ParkedStream, events.OpenStream} {
		s, err := b.JetStream().Stream(ctx, stream)
		if err != nil {
			return fmt.Sprintf("stream %s: %v", stream, err)
		}
		names := s.ConsumerNames(ctx)
		for name := range names.Name() { // to its end, else its goroutine stays
			c, err := s.Consumer(ctx, name)
			switch {
			case err == nil:
				busy += unfinished(c.CachedInfo())
			case !errors.Is(err, jetstream.ErrConsumerNotFound): // a reader's own, which is gone
				busy += fmt.Sprintf("%s on %s: %v; ", name, stream, err)
			}
		}
		if err := names.Err(); err != nil {
			return fmt.Sprintf("consumers of %s: %v", stream, err)
		}
	}
	return busy
}

func unfinished(c *jetstream.ConsumerInfo) string {
	if c.Config.Durable == "" || c.NumPending == 0 && c.NumAckPending == 0 {
		return ""
	}
	return fmt.Sprintf("%s on %s: %d to come, %d in hand; ", c.Name, c.Stream, c.NumPending, c.NumAckPending)
}
