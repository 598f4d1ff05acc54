// Package gateway is the public door: what comes from outside over HTTP, and what shops publish to their own accounts at the broker.
//
//	serves    POST /notify/<shop>/<invoice>: the provider's notification that an invoice was paid
//	          POST /hooks/<shop>/<system>: what a shop's own system sends
//	          /v1/…: the HTTP API, and /pay/…: the buyers' pages, which packages of their own have
//	consumes  hooks.*.*.*: what could not be translated, to park it; a replay translates it again
//	publishes orders.<shop>.<order>.<event>, hooks.<shop>.<order>.<system>, and
//	          hints.<shop>.<invoice> (may be lost; the poller asks by itself anyway)
//
// The files:
//
//	gateway.go   the worker and its routes
//	limit.go     how fast and how large requests may be, and where they come from
//	notify.go    the provider's notifications
//	hooks.go     a request of a shop's system: its signature, its translation, its answer
//	systems.go   the table of systems
//	publish.go   which of the events ORDERS does not have yet, and their publishing
//	refused.go   what could not be translated is kept, parked, and translated again when an operator replays it
//	sweep.go     reads the orders of shops whose system does not repeat a lost delivery
//	quota.go     how much a shop may publish to its own account at the broker
//
// A notification of the provider is not authenticated and proves nothing: it only makes a poll come sooner.
package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/httprate"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/sometimes"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Name of the process.
const Name = "gateway"

// Config of the gateway.
type Config struct {
	Bus         *bus.Bus
	Hints       Hinter // Bus unless given
	Connections connections.File
	SweepEvery  time.Duration // how often the orders of a shop are read; 5 minutes unless given

	// Pages and API answer /pay/ and /v1/; nil answers 404.
	Pages, API http.Handler
	// ReturnURL gives the page that the buyer's app opens after a payment, for an order without a backUrl; nil gives none.
	ReturnURL func(shop, order string) string

	PerMinute int      // requests of one address, and verified requests of one shop; 6000 unless given
	Proxies   []string // networks whose X-Forwarded-For is believed
	Metrics   prometheus.Registerer
	Log       zerolog.Logger
}

// Hinter passes a hint on; *bus.Bus implements it.
type Hinter interface {
	Hint(events.Key) error
}

// Gateway answers requests and keeps nothing between them, so any number of copies may run.
type Gateway struct {
	Config
	hooks     map[address]hook
	sweeps    []sweep
	sometimes sometimes.Sometimes
	handler   http.Handler
	// shopLimit bounds the verified requests of one shop. What is not verified does not count: another client's requests must not use up
	// the shop's share.
	shopLimit *httprate.RateLimiter
	metrics   metrics
}

const (
	defaultPerMinute = 6000
	defaultSweep     = 5 * time.Minute
)

// New reads the secrets of the connections. The error names each that cannot be read.
func New(c Config) (*Gateway, error) {
	if c.SweepEvery == 0 {
		c.SweepEvery = defaultSweep
	}
	if c.PerMinute == 0 {
		c.PerMinute = defaultPerMinute
	}
	if c.Hints == nil {
		c.Hints = c.Bus
	}
	g := &Gateway{Config: c, shopLimit: httprate.NewRateLimiter(c.PerMinute, time.Minute), metrics: newMetrics(c.Metrics)}
	if err := g.connect(); err != nil {
		return nil, err
	}
	g.handler = g.routes()
	return g, nil
}

// Consumers are the durables that the gateway takes messages from.
func Consumers() []bus.Consumer {
	return []bus.Consumer{{Worker: Name, Name: Name, Stream: events.HooksStream, Filters: []string{events.HooksSubjects}}}
}

// Run handles what could not be translated, and sweeps, until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sweeping sync.WaitGroup
	sweeping.Go(func() { g.sweepAll(ctx) })
	c := Consumers()[0]
	c.Serves = g.serves
	err := g.Bus.Work(ctx, c, g.handleRefused)
	cancel()
	sweeping.Wait()
	return err
}

// ServeHTTP answers a request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

func (g *Gateway) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /notify/{shop}/{invoice}", g.notify)
	mux.HandleFunc("POST /hooks/{shop}/{system}", g.receive)
	mux.HandleFunc("OPTIONS /hooks/{shop}/{system}", g.allowSender)
	for path, h := range map[string]http.Handler{"/pay/": g.Pages, "/v1/": g.API} {
		if h != nil {
			mux.Handle(path, h)
		}
	}
	return limitClients(g.PerMinute, g.Proxies, mux)
}

// serves gives an error for a shop without a connection.
func (g *Gateway) serves(shop string) (terminal string, err error) {
	if _, _, ok := g.Connections.Of(shop); !ok {
		return "", errors.New("connections: there is none for this shop; add it to the connections file")
	}
	return shop, nil
}
