// Package bus is all that seqrflow knows of JetStream.
//
//	streams.go   the streams and durables, and which of their settings are ours; look.go whether they are there
//	consumer.go  how a durable is bound to and its messages are received
//	lease.go     deliveries that are kept unacknowledged, with heartbeats
//	schedule.go  which delivery is handled next: fair between shops, terminals and orders
//	work.go      a delivery's way: leased, scheduled, fetched, handled, settled by its outcome.go; giveback.go what goes back
//	append.go    how an event is appended after the one that was decided from; invoice.go for invoices, period.go for periods
//	open.go      the index of open invoices; core.go the subjects that no stream keeps
//	stuck.go     what workers tell of messages that they have not finished; ready.go whether a process's work can be done
//	inspect.go   what the broker says of its streams and consumers, for people
//	explain.go   what an error of the broker means; refusal.go whether it takes what is written
//	publish.go   how a message is published; room.go whether there is room for it; park.go what nobody could handle
//
// Nothing is ever written to INVOICES or PERIODS without the sequence that was loaded before, so two writers can never
// both decide from the same state.
package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/sometimes"
)

// Config of a connection.
type Config struct {
	URL      string
	Name     string        // shown in the broker's list of connections
	Options  []nats.Option // credentials, TLS, or an in-process server
	Replicas int           // of each stream: 1 or 3
	Log      zerolog.Logger
	Metrics  prometheus.Registerer // nil keeps them unregistered
	Clock    func() time.Time      // this machine's, as it is compared with the broker's; nil is the wall clock
	Now      func() time.Time      // what time it is said to be, for worlds with a time of their own; nil is Clock

	// AckWait is how long a copy may be silent before another takes its messages, default 10 s. With a
	// poll at once on taking over, a dead poller's invoices are asked about well within the provider's
	// 20 s, so nothing but a test sets it.
	AckWait time.Duration
	// Backoff of the workers that have none of their own, default 500 ms to 30 s.
	Backoff Backoff
}

// Validate reports every setting that is wrong.
func (c Config) Validate() error {
	if c.Replicas != 1 && c.Replicas != 3 {
		return fmt.Errorf("replicas: expected 1 or 3, got %d", c.Replicas)
	}
	return nil
}

// Bus is one connection to the broker. It is safe for concurrent use.
type Bus struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	cfg     Config
	log     zerolog.Logger
	now     func() time.Time
	metrics *metrics

	mu      sync.Mutex
	streams map[string]jetstream.Stream
	created map[string]time.Time // when each durable that was bound to was made

	room       room
	history    history
	bound      bound
	refusals   refusals
	refusing   atomic.Bool  // there is one
	skew       atomic.Int64 // the broker's clock less ours, ns
	measured   atomic.Bool  // skew is known
	sometimes  sometimes.Sometimes
	foreigners sync.Map // sequences of messages on INVOICES that were parked as foreign
	violation  atomic.Pointer[violation]
	publishing sync.Map // *publishing, those that wait for an acknowledgement
}

// Connect to the broker. It goes on trying until ctx ends, and reconnects for ever afterwards.
func Connect(ctx context.Context, cfg Config) (*Bus, error) {
	if cfg.Replicas == 0 {
		cfg.Replicas = 1
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Now == nil {
		cfg.Now = cfg.Clock
	}
	if cfg.AckWait == 0 {
		cfg.AckWait = 10 * time.Second
	}
	if cfg.Backoff == (Backoff{}) {
		cfg.Backoff = Backoff{500 * time.Millisecond, 30 * time.Second}
	}
	b := &Bus{cfg: cfg, log: cfg.Log, now: cfg.Now, metrics: newMetrics(cfg.Metrics), streams: map[string]jetstream.Stream{}, created: map[string]time.Time{}}
	nc, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	b.nc = nc
	if b.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout)); err != nil {
		nc.Close()
		return nil, err
	}
	return b, nil
}

const (
	requestTimeout = 5 * time.Second
	reconnectWait  = 250 * time.Millisecond
	maxReconnect   = 2 * time.Second
)

func (b *Bus) dial(ctx context.Context) (*nats.Conn, error) {
	cfg, log := b.cfg, b.log
	if err := CheckAddress(cfg.URL); err != nil {
		return nil, err
	}
	opts := append([]nats.Option{
		nats.Name(cfg.Name), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.Timeout(lookFor),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2), nats.ReconnectBufSize(-1),
		nats.IgnoreAuthErrorAbort(), // a mistake in the broker's users, once mended, needs no restart of workers
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				log.Warn().Err(err).Msg("broker connection lost")
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info().Str("broker", Address(nc.ConnectedUrl())).Msg("broker connection restored")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.noteViolation(err)
			if b.sometimes.OK("broker: " + err.Error()) {
				log.Warn().Err(err).Msg("broker")
			}
		}),
	}, cfg.Options...)
	for {
		nc, err := nats.Connect(cfg.URL, opts...)
		if err == nil {
			return nc, nil
		}
		if b.sometimes.OK("dial") {
			log.Warn().Err(Explain(err)).Str("broker", Address(cfg.URL)).Msg("no broker yet; it is waited for")
		}
		if errors.Is(err, nats.ErrAuthorization) {
			return nil, fmt.Errorf("the broker refused the credentials: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no broker at %s: %w", Address(cfg.URL), err)
		case <-time.After(maxReconnect / 4):
		}
	}
}

// Close the connection. Workers are expected to have returned by then.
func (b *Bus) Close() { b.nc.Close() }

// Conn is the plain connection, for core subjects such as hints.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// AckWait is how long a copy may be silent before another takes its messages.
func (b *Bus) AckWait() time.Duration { return b.cfg.AckWait }
