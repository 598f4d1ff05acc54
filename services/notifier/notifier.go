// Package notifier tells the shops' own systems what happens to their invoices.
//
//	consumes  invoices.<shop>.*.*, with a durable of its own for each destination of a shop
//	reads     the order of an invoice that has ended: it may go on by another
//	calls     the shops' systems: WooCommerce, Shopify, webhooks (may be repeated: pkg/commerce looks first)
//	appends   one event for each attempt, on deliveries.<shop>.<destination>.<invoice>
//
//	systems.go      the table of the systems, and the destinations that connections.yaml names
//	destination.go  which event of a destination is sent next: the events of one invoice one after another
//	pace.go         how fast, and when a destination that gives no answer is tried again
//	attempt.go      one attempt and what becomes of it
//	metrics.go
//
// A dead destination delays no other one, and costs one leased message: the others stay at the broker.
package notifier

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Name of the worker.
const Name = "notifier"

// Config of the worker.
type Config struct {
	Bus          *bus.Bus
	Destinations []Destination
	Metrics      prometheus.Registerer // nil keeps the metrics unregistered
	Log          zerolog.Logger

	Backoff     bus.Backoff   // between the attempts of one event; default 5 s to 4 h
	Probes      bus.Backoff   // between the attempts of a destination that gives no answer; default 1 s to 1 min
	Patience    time.Duration // how long after an event it is given up, default 3 days
	Concurrency int           // calls at once to one destination, default 8
}

// Worker tells the shops' systems. Any number of copies may run.
type Worker struct {
	Config
	metrics *metrics
}

const (
	leased = 64 // messages of one destination at once, at most, in one copy

	// refusedPause is the pause after the broker has refused a destination's consumer.
	refusedPause = 15 * time.Second

	// otherProbes is about how many probes of a silent destination are made between two attempts of one event.
	otherProbes = 5

	// leastTries is how long an event is tried that was older than Patience when its first attempt was made.
	leastTries = time.Hour
)

// New worker.
func New(c Config) *Worker {
	if c.Backoff == (bus.Backoff{}) {
		c.Backoff = bus.Backoff{First: 5 * time.Second, Most: 4 * time.Hour}
	}
	if c.Probes == (bus.Backoff{}) {
		c.Probes = bus.Backoff{First: time.Second, Most: time.Minute}
	}
	if c.Patience == 0 {
		c.Patience = 72 * time.Hour
	}
	if c.Concurrency == 0 {
		c.Concurrency = 8
	}
	return &Worker{c, newMetrics(c.Metrics, c.Destinations)}
}

// Run tells the destinations until ctx ends. Without any it does nothing.
func (w *Worker) Run(ctx context.Context) error {
	if len(w.Destinations) == 0 {
		w.Log.Info().Str("worker", Name).Msg("no connection has a destination: the notifier has nothing to do (--connections-file)")
	}
	w.Bus.AwaitClock(ctx) // how old an event is, and when it is tried again, is judged by it
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range w.Destinations {
		if d.Disabled {
			w.Log.Warn().Str("worker", Name).Str("shop", d.Shop).Str("destination", d.Name).Msg("the destination is disabled: its events are kept")
			g.Go(func() error { w.insist(ctx, d, "the events of this destination are not kept", w.keep); return nil })
			continue
		}
		g.Go(func() error {
			w.insist(ctx, d, "nothing is told to this destination; the others are told", w.serve)
			return nil
		})
	}
	g.Go(func() error { return w.watchBacklogs(ctx) })
	return g.Wait()
}

// serve tells one destination until ctx ends. The error is of a broker that refuses its consumer: the process is not ready then.
func (w *Worker) serve(ctx context.Context, d Destination) error { return newSender(w, d).run(ctx) }

// keep makes sure that the broker keeps the events of a disabled destination.
func (w *Worker) keep(ctx context.Context, d Destination) error {
	return w.Bus.Require(ctx, []bus.Consumer{consumer(d.Shop, d.Name, true)})
}

// insist does something for one destination, until that succeeds or ctx ends. A broker that refuses its consumer, as it does before
// `broker apply` has made it, is asked again: the other destinations go on meanwhile.
func (w *Worker) insist(ctx context.Context, d Destination, failing string, do func(context.Context, Destination) error) {
	for ctx.Err() == nil {
		err := do(ctx, d)
		if err == nil || ctx.Err() != nil {
			return
		}
		w.Log.Error().Err(err).Str("worker", Name).Str("shop", d.Shop).Str("destination", d.Name).Msg(failing)
		select {
		case <-ctx.Done():
		case <-time.After(refusedPause):
		}
	}
}

// Consumers gives the durables of the destinations that the file names. A durable that is made begins with the next event that is
// recorded. That of a disabled destination is there too, so that its events are kept.
func Consumers(f connections.File) (all []bus.Consumer) {
	for _, shop := range f.Shops() {
		c := f.Connections[shop]
		for _, name := range c.Destinations() {
			all = append(all, consumer(shop, name, c.Disabled(name)))
		}
	}
	return all
}

func consumer(shop, destination string, disabled bool) bus.Consumer {
	return bus.Consumer{
		Worker: Name, Name: ConsumerName(events.Token(shop), destination), Stream: events.InvoicesStream, Records: events.DeliveriesStream,
		Filters: []string{"invoices." + events.Token(shop) + ".*.*"}, FromNow: true, Kept: disabled,
	}
}

// ConsumerPrefix begins the names of all durables of the worker.
const ConsumerPrefix = Name + "="

// ConsumerName gives the name of the durable of a destination of a shop, both by their subject tokens, which have no "=".
func ConsumerName(shop, destination string) string { return ConsumerPrefix + shop + "=" + destination }

// ParseConsumerName gives the shop, by its subject token, and the destination of a durable; ok is false for another durable.
func ParseConsumerName(name string) (shop, destination string, ok bool) {
	rest, ok := strings.CutPrefix(name, ConsumerPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "=")
}
