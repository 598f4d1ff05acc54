// Package bus is all that seqrflow knows of NATS JetStream, which is its only store: a connection, the streams, and how their
// messages are written, read and worked on.
//
// Setting up
//
//	bus.go        the connection, and the broker's address
//	streams.go    the streams, and which of their settings are ours
//	consumer.go   the durable consumers of the workers, and how their messages are received
//	require.go    whether a process finds the streams and consumers that it needs, and can do its work
//
// Writing. Nothing is written to INVOICES or PERIODS without the sequence that was loaded before, so two writers never both
// decide from the same state.
//
//	append.go     load, decide, append, and again when another writer came first; for invoice.go (periods too),
//	              openindex.go, deliveries.go and park.go. How one message is published, and what repeats it
//	orders.go     what is published and read of orders; forward.go stores what shops with accounts of their own publish
//	hooks.go      what the gateway keeps: requests that it could not translate, and how far it has read a shop's orders
//
// Reading. There are two readers of streams, and requests for single messages.
//
//	scan.go       the messages that are there
//	follow.go     the messages that are there and those that come
//	read.go       one message, the state of a stream, or the few messages of an invoice
//
// Working. A delivery is leased, scheduled, fetched, handled, and settled as its outcome says.
//
//	lease.go      deliveries that are kept unacknowledged, with heartbeats
//	work.go       the way of a delivery; outcome.go what becomes of it
//	schedule.go   which delivery is handled next: fair between shops, terminals and orders
//	giveback.go   what goes back to the broker: too much, or for a copy that serves its shop; copies ask each other which do
//	park.go       what a worker could not handle goes to PARKED, and what the broker gave up on; parked.go reads that
//
// Being asked
//
//	room.go       whether the broker takes what is written
//	stuck.go      what workers tell of deliveries that they have not finished (unfinished.go); core.go other subjects without a stream
//	clock.go      how far this machine's clock is from the broker's; restored.go whether the broker has forgotten something
//	inspect.go    what the broker says of its streams and consumers, for people
//	explain.go    what the broker's errors mean, and what its permissions refuse
package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/sometimes"
)

// Config is what a connection needs.
type Config struct {
	URL      string        // of the broker, or of several, separated by commas
	Name     string        // is shown in the broker's list of connections
	Options  []nats.Option // credentials, TLS, or an in-process server
	Replicas int           // of each stream: 1 or 3; default 1
	Log      zerolog.Logger
	Metrics  prometheus.Registerer // nil keeps the metrics unregistered
	Clock    func() time.Time      // this machine's clock, which is compared with the broker's; nil is the wall clock
	Now      func() time.Time      // the time that events are stamped with, for tests with a time of their own; nil is Clock

	// AckWait is how long a copy of a worker may be silent before the broker gives its messages to another, default 10 s. The
	// provider gives a payment back 20 s after it was asked about last: an invoice of a copy that died is asked about well within
	// that. Only tests set another.
	AckWait time.Duration
	// Backoff is that of the workers that have none of their own, default 500 ms to 30 s.
	Backoff Backoff
}

// Validate says which setting is wrong.
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
	bound   map[string]int       // how often each consumer's messages are received here now

	room        room
	history     history
	refusalsMu  sync.Mutex
	refusals    map[string]refusal // by the first token of the subject: of the last write, when that was refused or not answered
	skew        atomic.Int64       // the broker's clock less this machine's, ns
	measured    atomic.Bool        // skew is known
	sometimes   sometimes.Sometimes
	foreignSeen sync.Map // sequences of messages on INVOICES that were parked as foreign
	violation   atomic.Pointer[violation]
	publishing  sync.Map // *publishing: publishes that wait for an acknowledgement
}

// Connect connects to the broker. It tries until ctx ends, but ends with an error at once when the broker refuses the credentials.
// A connection that is lost later is made again, however long that takes.
func Connect(ctx context.Context, cfg Config) (*Bus, error) {
	cfg.Replicas = cmp.Or(cfg.Replicas, 1)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Now == nil {
		cfg.Now = cfg.Clock
	}
	cfg.AckWait = cmp.Or(cfg.AckWait, 10*time.Second)
	cfg.Backoff = cmp.Or(cfg.Backoff, Backoff{500 * time.Millisecond, 30 * time.Second})
	b := &Bus{
		cfg: cfg, log: cfg.Log, now: cfg.Now, metrics: newMetrics(cfg.Metrics),
		streams: map[string]jetstream.Stream{}, created: map[string]time.Time{}, bound: map[string]int{}, refusals: map[string]refusal{},
	}
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
		nats.Name(cfg.Name), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.Timeout(answersIn),
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
			log.Warn().Err(explain(err)).Str("broker", Address(cfg.URL)).Msg("no broker yet; it is waited for")
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

// Close closes the connection. Work and Lease have to have returned before.
func (b *Bus) Close() { b.nc.Close() }

// Conn gives the plain connection, for its state and its counters. It is not for JetStream.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// AckWait is how long a copy of a worker may be silent before the broker gives its messages to another.
func (b *Bus) AckWait() time.Duration { return b.cfg.AckWait }

// Address gives the URL of a broker, or the list of URLs, without the credentials that may stand in it: for logs and messages.
func Address(raw string) string {
	// url.Parse does not do: a token stands where a user's name does, and of a list only the first would be parsed.
	all := strings.Split(raw, ",")
	for i, one := range all {
		scheme, rest, ok := strings.Cut(strings.TrimSpace(one), "://")
		if !ok {
			scheme, rest = "nats", scheme
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		all[i] = scheme + "://" + rest
	}
	return strings.Join(all, ",")
}

// errAddress never quotes the URL: a mistaken one may hold a password.
var errAddress = errors.New("the broker's address is not a URL such as nats://host:4222")

// CheckAddress gives an error for an address that cannot be that of a broker.
func CheckAddress(raw string) error {
	for one := range strings.SplitSeq(raw, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		if _, err := url.Parse(one); err != nil {
			return errAddress
		}
	}
	return nil
}
