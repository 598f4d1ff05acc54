package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Consumer is how a worker takes its messages: a durable consumer that any number of copies of the worker share. Its name and
// filters never depend on settings, so no setting changes which messages were handled.
type Consumer struct {
	Worker  string   // stands in the source of the worker's events and in the subjects of what it parks
	Name    string   // of the durable
	Stream  string   // that it reads
	Filters []string // subjects
	Records string   // a stream that the worker keeps its records on; "" for none

	// Serves gives the terminal of the provider that messages of the shop, by its subject token, are about. With an error this
	// copy does not handle them, and they go back to the broker for another copy: with ErrOtherCopy for as long as it takes; with
	// any other error a message that no copy takes within 15 s is parked with that error. nil serves every shop, each with
	// a terminal of its own.
	Serves func(shop string) (terminal string, err error)
	// Has says whether this copy has the credentials of another terminal of a shop that it serves; nil is no other terminal.
	Has func(shop, terminal string) bool
	// Probe asks the shop's terminal something harmless; nil means that it answered. While a terminal is silent it is probed, and
	// no delivery is tried. If Probe is nil no terminal counts as silent.
	Probe func(ctx context.Context, shop string) error

	// Room, if set, bounds how many messages this copy leases: it waits until there is room for at least one more and gives for
	// how many there is, or 0 once ctx has ended. Replayed messages are not bounded. nil leases all that wait.
	Room func(ctx context.Context) int
	// FromNow says that a durable that is made begins with the next message that is stored, and not one hour back.
	FromNow bool
	// Kept says that nothing takes the messages for now. The durable is there, so that the broker keeps them.
	Kept bool

	AckWait     time.Duration // how long a copy may be silent before another gets its messages; default and maximum is that of the bus
	Concurrency int           // handlers at once for one terminal, default 32
	Attempts    int           // of a delivery that ends with Retry before it is parked, default 8
	Backoff     Backoff       // between them; default is that of the bus. No pause is longer than its Most
}

// ErrOtherCopy says that a shop's messages are for copies of the worker that are set up to serve the shop.
var ErrOtherCopy = errors.New("another copy serves the shop")

const (
	ackTimeout = 5 * time.Second
	// grace is how long handlers at work have to finish after ctx has ended.
	grace = 4 * time.Second
	// catchUp is how far back a durable begins that is made on a stream with history. What is older was handled or is parked:
	// to handle it anew could pay twice.
	catchUp = time.Hour
)

func (b *Bus) withDefaults(c Consumer) Consumer {
	c.Concurrency, c.Attempts = cmp.Or(c.Concurrency, 32), cmp.Or(c.Attempts, 8)
	c.Backoff = cmp.Or(c.Backoff, b.cfg.Backoff)
	c.AckWait = min(cmp.Or(c.AckWait, b.cfg.AckWait), b.cfg.AckWait)
	if c.Serves == nil {
		c.Serves = func(shop string) (string, error) { return shop, nil }
	}
	return c
}

// consumerConfig gives the durable as it is at the broker: without the messages' bodies, so that any number of them can be leased,
// and without a bound on how many.
func (b *Bus) consumerConfig(c Consumer) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.Name, FilterSubjects: c.Filters, DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.AckWait, MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: 512,
	}
}

// Replays gives the consumer of what an operator has sent back from PARKED to this one: of the shop whose messages it takes, or of
// every shop.
func (c Consumer) Replays() Consumer {
	shop := "*"
	if len(c.Filters) == 1 && events.IsToken(token(c.Filters[0], 1)) {
		shop = token(c.Filters[0], 1)
	}
	c.Name, c.Stream, c.Room, c.FromNow = c.Name+"-replay", events.ParkedStream, nil, false
	c.Filters = []string{parkedPrefix + "." + events.Token(c.Worker) + "." + shop + ".*"}
	return c
}

// receive gives every message to take, which must not block, until ctx ends; what is in the client's buffer then is given too. It
// binds anew when the broker has lost the consumer. It is no reader of a stream like Scan and Follow: each message is work for one
// copy, which acknowledges it.
func (b *Bus) receive(ctx context.Context, c Consumer, take func(jetstream.Msg)) error {
	for {
		err := b.receiveOnce(ctx, c, take)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !transient(err) {
			return fmt.Errorf("consumer %s on %s: %w", c.Name, c.Stream, err)
		}
		if b.sometimes.OK("consuming again " + c.Name) {
			b.log.Warn().Err(err).Str("consumer", c.Name).Msg("consuming starts again")
		}
		if !pause(ctx, reconnectWait) {
			return nil
		}
	}
}

func (b *Bus) receiveOnce(ctx context.Context, c Consumer, take func(jetstream.Msg)) error {
	cons, err := b.bind(ctx, c)
	if err != nil {
		return err
	}
	b.countBound(c.Name, 1)
	defer b.countBound(c.Name, -1)
	if c.Room != nil {
		return receiveInPortions(ctx, cons, c, take)
	}
	doubt := make(chan struct{}, 1)
	cc, err := cons.Consume(take, jetstream.PullMaxMessages(leaseBatch), jetstream.PullExpiry(5*time.Second),
		jetstream.PullHeartbeat(2*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case doubt <- struct{}{}:
			default:
			}
			if b.sometimes.OK("consuming " + c.Name) {
				b.log.Warn().Err(err).Str("consumer", c.Name).Msg("consuming")
			}
		}))
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			cc.Drain()
			<-cc.Closed()
			return nil
		case <-cc.Closed():
			return fmt.Errorf("the broker ended the consumer %s", c.Name)
		case <-doubt:
			if b.isGone(ctx, c) {
				cc.Stop()
				<-cc.Closed()
				return fmt.Errorf("the consumer %s is gone", c.Name)
			}
		}
	}
}

// receiveInPortions asks for as many messages as there is room for, again and again.
func receiveInPortions(ctx context.Context, cons jetstream.Consumer, c Consumer, take func(jetstream.Msg)) error {
	for {
		room := c.Room(ctx)
		if ctx.Err() != nil {
			return nil
		}
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		batch, err := cons.Fetch(room, jetstream.FetchContext(once), jetstream.FetchHeartbeat(2*time.Second))
		if err == nil {
			for m := range batch.Messages() {
				take(m)
			}
			err = batch.Error()
		}
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return err
		}
	}
}

// isGone says whether the durable is not there any more. The broker tells that only to a request that waits for messages at that
// moment, and answers later requests with nothing.
func (b *Bus) isGone(ctx context.Context, c Consumer) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := b.js.Consumer(ctx, c.Stream, c.Name)
	return errors.Is(err, jetstream.ErrConsumerNotFound)
}

// bind finds the durable, or makes it if this process may.
func (b *Bus) bind(ctx context.Context, c Consumer) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	cons, err := b.js.Consumer(ctx, c.Stream, c.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		cons, err = b.ensureConsumer(ctx, c)
	}
	if err != nil {
		return nil, b.denied(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.created[c.Name] = cons.CachedInfo().Created
	return cons, nil
}

// precedes says whether the message was stored before the durable was made: an operator may have settled what it asks for.
func (b *Bus) precedes(d Delivery, c Consumer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return d.Time.Before(b.created[c.Name])
}

// ensureConsumer makes the durable, or brings the settings that are ours up to date.
func (b *Bus) ensureConsumer(ctx context.Context, c Consumer) (jetstream.Consumer, error) {
	cfg := b.consumerConfig(c)
	switch have, err := b.js.Consumer(ctx, c.Stream, c.Name); {
	case err == nil:
		old := have.CachedInfo().Config
		cfg.DeliverPolicy, cfg.OptStartTime, cfg.OptStartSeq = old.DeliverPolicy, old.OptStartTime, old.OptStartSeq
		return b.js.UpdateConsumer(ctx, c.Stream, cfg)
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, err
	}
	s, err := b.js.Stream(ctx, c.Stream)
	if err != nil {
		return nil, err
	}
	if info := s.CachedInfo(); c.FromNow {
		cfg.DeliverPolicy = jetstream.DeliverNewPolicy
	} else if info.State.LastSeq > 0 && info.Config.Retention != jetstream.WorkQueuePolicy {
		from := info.TimeStamp.Add(-catchUp)
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
		b.log.Warn().Str("consumer", c.Name).Str("stream", c.Stream).Time("from", from).Msg("a new consumer on a stream with history: older messages are not taken")
	}
	cons, err := b.js.CreateConsumer(ctx, c.Stream, cfg)
	if errors.Is(err, jetstream.ErrConsumerExists) {
		return b.js.Consumer(ctx, c.Stream, c.Name)
	}
	return cons, err
}
