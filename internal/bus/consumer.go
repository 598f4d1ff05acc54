package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Consumer is how a worker takes its messages: a durable that any number of copies share. Its name and filters are fixed:
// no setting changes which messages were handled.
type Consumer struct {
	Worker  string   // whose: the third part of an event's source, the second token of a parked subject
	Name    string   // of the durable
	Stream  string   // it reads
	Filters []string // subjects

	// Serves gives the terminal of the provider that messages of the shop, by its subject token, are about. An error says
	// that this copy does not handle them: they go back to the broker for another copy. ErrOtherCopy is when that is how it
	// is set up; after any other error a message that no copy takes within a while is parked with it. nil serves every
	// shop, each with a terminal of its own.
	Serves func(shop string) (terminal string, err error)
	// Has says whether this copy has the credentials of a terminal of a shop that it serves; nil is none but the shop's own.
	Has func(shop, terminal string) bool
	// Probe asks the shop's terminal something harmless; nil without an error is an answer. While a terminal is silent it
	// is probed, and no delivery is tried. Without it no terminal counts as silent.
	Probe func(ctx context.Context, shop string) error

	AckWait     time.Duration // how long a copy may be silent before another takes its messages; the bus's at most, and unless given
	Concurrency int           // handlers at once for one terminal, default 32
	Attempts    int           // before a failing delivery is parked, default 8
	Backoff     Backoff       // between them; a pause is never longer than its Most
	Grace       time.Duration
}

// ErrOtherCopy says that messages of a shop are for copies that are set to serve it.
var ErrOtherCopy = errors.New("another copy serves the shop")

const (
	ackTimeout = 5 * time.Second
	// catchUp is how far back a durable begins that is made on a stream with history. What is older was handled, or is
	// parked; to execute it anew would be a danger, not a help.
	catchUp = time.Hour
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
	if c.AckWait == 0 || c.AckWait > b.cfg.AckWait {
		c.AckWait = b.cfg.AckWait
	}
	if c.Serves == nil {
		c.Serves = func(shop string) (string, error) { return shop, nil }
	}
	return c
}

// config is the durable as it is at the broker: without the messages' bodies, so that any number of them can be leased,
// and without a bound on how many.
func (b *Bus) consumerConfig(c Consumer) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.Name, FilterSubjects: c.Filters, DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.AckWait, MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: 512,
	}
}

// replays is the consumer of what a person has sent back from PARKED to this one.
func (c Consumer) replays() Consumer {
	r := c
	r.Name, r.Stream = c.Name+"-replay", events.ParkedStream
	r.Filters = []string{"parked." + events.Token(c.Worker) + ".*.*"}
	return r
}

// receive hands every message to take, which must not block, until ctx ends; what is still in the client's buffer then is
// handed over too. It binds anew when the broker lost the consumer.
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
	b.bound.add(c.Name, 1)
	defer b.bound.add(c.Name, -1)
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

// isGone says that the durable is not there any more. The client hears of that only if it waits for messages at the very
// moment; else its requests are answered by nothing.
func (b *Bus) isGone(ctx context.Context, c Consumer) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := b.js.Consumer(ctx, c.Stream, c.Name)
	return errors.Is(err, jetstream.ErrConsumerNotFound)
}

// bind finds the durable, or makes it where this process may.
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

// older says that a message was there before the durable: a person may have settled what it asks for.
func (b *Bus) older(d Delivery, c Consumer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return d.Time.Before(b.created[c.Name])
}

// ensureConsumer makes the durable, or brings what we own of an existing one up to date.
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
	if info := s.CachedInfo(); info.State.LastSeq > 0 && info.Config.Retention != jetstream.WorkQueuePolicy {
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
