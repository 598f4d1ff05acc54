package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// parkGivenUp parks what the broker has given up on: a message that was terminated, or that was delivered as often as the consumer's
// settings allow. Ours allow any number, so this happens only where an operator has changed them. It returns when ctx ends.
func (b *Bus) parkGivenUp(ctx context.Context, c Consumer) error {
	name := c.Name
	park := func(m *nats.Msg) {
		if err := b.parkAdvised(ctx, c, m.Data); err != nil {
			b.log.Error().Err(err).Str("consumer", name).Msg("parking what the broker gave up on")
		}
	}
	for _, kind := range []string{"MAX_DELIVERIES", "MSG_TERMINATED"} {
		sub, err := b.nc.QueueSubscribe("$JS.EVENT.ADVISORY.CONSUMER."+kind+"."+c.Stream+"."+name, "seqrflow-"+name, park)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	<-ctx.Done()
	return nil
}

func (b *Bus) parkAdvised(ctx context.Context, c Consumer, body []byte) error {
	var a struct {
		StreamSeq  uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
		Reason     string `json:"reason"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	e, err := b.MessageAt(ctx, c.Stream, a.StreamSeq)
	if err != nil {
		return err
	}
	reason := fmt.Sprintf("the broker gave up after %d deliveries", a.Deliveries)
	if a.Reason != "" {
		reason += ": " + a.Reason
	}
	return b.park(ctx, c, Delivery{Entry: e}, a.Deliveries, errors.New(reason))
}
