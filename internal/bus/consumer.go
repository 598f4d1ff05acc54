package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Consumer is how a worker takes its messages: a durable that any number of copies share.
type Consumer struct {
	Worker      string   // whose: the third part of an event's source, the second token of a parked subject
	Name        string   // of the durable
	Stream      string   // it reads
	Filters     []string // subjects, "*" where the shop stands
	Shops       []string // takes only these shops' messages; empty takes all
	Concurrency int      // handlers at once, default 32
	Attempts    int      // before a failing delivery is parked, default 8
	Backoff     Backoff  // between them; a pause is never longer than its Most
	Grace       time.Duration

	// ready is told of the broker's consumer before its messages are asked for; nil is nobody.
	ready func(context.Context, *jetstream.ConsumerInfo) error
}

const (
	// maxPending is how many messages may be held unacknowledged by all copies together.
	maxPending = 50_000
	ackTimeout = 5 * time.Second
	// beats is how often the broker is told within AckWait that a message is being worked on.
	beats = 3
)

func (b *Bus) withDefaults(c Consumer) Consumer {
	if c.Concurrency == 0 {
		c.Concurrency = 32
	}
	if c.Attempts == 0 {
		c.Attempts = 8
	}
	if c.Backoff == (Backoff{}) {
		c.Backoff = b.cfg.Backoff
	}
	if c.Grace == 0 {
		c.Grace = 4 * time.Second
	}
	c.Shops = slices.Clone(c.Shops)
	slices.Sort(c.Shops)
	c.Shops = slices.Compact(c.Shops)
	return c
}

// durable is the consumer's name at the broker. Copies that take the same shops share it, and no others do.
func (c Consumer) durable() string {
	if len(c.Shops) == 0 {
		return c.Name
	}
	shops := make([]string, len(c.Shops))
	for i, s := range c.Shops {
		shops[i] = events.Token(s)
	}
	all := strings.Join(shops, ",")
	if len(all) > maxShopsInName {
		all = events.Token(all)
	}
	return c.Name + "-" + all
}

const maxShopsInName = 128

// subjects puts the shops into the filters; the shop is always the second token.
func (c Consumer) subjects() []string {
	if len(c.Shops) == 0 {
		return c.Filters
	}
	var out []string
	for _, f := range c.Filters {
		if f == events.OrdersSubjects {
			f = "orders.*.>"
		}
		for _, shop := range c.Shops {
			out = append(out, strings.Replace(f, ".*.", "."+events.Token(shop)+".", 1))
		}
	}
	return out
}

func (b *Bus) consumerConfig(c Consumer) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.durable(), FilterSubjects: c.subjects(), DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: b.cfg.AckWait, MaxDeliver: -1, MaxAckPending: maxPending, MaxWaiting: 512,
	}
}

// replays is the consumer of what a person has sent back from PARKED to this one.
func (c Consumer) replays() Consumer {
	r := c
	r.Name, r.Stream = c.Name+"-replay", events.ParkedStream
	r.Filters = []string{"parked." + events.Token(c.Worker) + ".*.*"}
	if len(c.Shops) > 0 {
		r.Filters = nil
		for _, shop := range c.Shops {
			r.Filters = append(r.Filters, "parked."+events.Token(c.Worker)+"."+events.Token(shop)+".*")
		}
		r.Name, r.Shops = c.durable()+"-replay", nil
	}
	return r
}

// receive hands every message to take, one after another, until ctx ends; what is still in the
// client's buffer then is handed over too. It makes the consumer again when the broker lost it.
func (b *Bus) receive(ctx context.Context, c Consumer, batch int, take func(jetstream.Msg)) error {
	for {
		err := b.receiveOnce(ctx, c, batch, take)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !transient(err) {
			return fmt.Errorf("consumer %s on %s: %w", c.durable(), c.Stream, err)
		}
		b.log.Warn().Err(err).Str("consumer", c.durable()).Msg("consuming starts again")
		if !pause(ctx, reconnectWait) {
			return nil
		}
	}
}

func (b *Bus) receiveOnce(ctx context.Context, c Consumer, batch int, take func(jetstream.Msg)) error {
	setup, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	cons, err := b.js.CreateOrUpdateConsumer(setup, c.Stream, b.consumerConfig(c))
	if err != nil {
		return err
	}
	if c.ready != nil {
		if err := c.ready(ctx, cons.CachedInfo()); err != nil {
			return err
		}
	}
	cc, err := cons.Consume(take, jetstream.PullMaxMessages(batch), jetstream.PullExpiry(5*time.Second),
		jetstream.PullHeartbeat(2*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			b.log.Warn().Err(err).Str("consumer", c.durable()).Msg("consuming")
		}))
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		cc.Drain()
		<-cc.Closed()
		return nil
	case <-cc.Closed():
		return fmt.Errorf("the broker ended the consumer %s", c.durable())
	}
}
