package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/orderapi"
	"github.com/seqrflow/seqrflow/internal/orderview"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/gateway"
)

// runner is a worker: it blocks until ctx ends.
type runner interface {
	Run(context.Context) error
}

func run(create func(*Stack) (runner, error)) func(context.Context, *Stack) (func() error, error) {
	return func(_ context.Context, s *Stack) (func() error, error) {
		w, err := create(s)
		if err != nil {
			return nil, err
		}
		return s.background(w.Run), nil
	}
}

// background runs f until it is ended; an error before that fails the stack.
func (s *Stack) background(f func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	done := make(chan error, 1)
	go func() {
		err := f(ctx)
		if err != nil && ctx.Err() == nil {
			s.fail(err)
		}
		done <- err
	}()
	return func() error {
		cancel()
		t := time.NewTimer(drainTime)
		defer t.Stop()
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-t.C:
			return errors.New("not drained in time; what was in hand will be taken up again")
		}
	}
}

func startNATS(ctx context.Context, s *Stack) (func() error, error) {
	n, err := natsd.Start(ctx, natsd.Config{Listen: s.opts.NATSListen, Data: s.opts.Data, Log: s.log})
	if err != nil {
		return nil, err
	}
	s.natsd, s.URLs.NATS = n, n.URL()
	return func() error { n.Close(); return nil }, nil
}

func startBus(ctx context.Context, s *Stack) (func() error, error) {
	credentials, err := s.opts.Credentials.Options()
	if err != nil {
		return nil, err
	}
	cfg := bus.Config{URL: s.opts.NATS, Name: "seqrflow", Options: credentials, Replicas: s.opts.Replicas, Log: s.log, Metrics: s.Registry}
	if s.natsd != nil {
		cfg.Options = append(cfg.Options, s.natsd.InProcess())
	}
	b, err := bus.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.provision(ctx, b); err != nil {
		b.Close()
		return nil, err
	}
	s.Bus = b
	return func() error { b.Close(); return nil }, nil
}

// provision makes the streams and consumers of an embedded broker. Of any other it makes sure that what the workers here need is there,
// but for the consumers of connections: a shop that is not joined wholly yet stops nothing of the others.
func (s *Stack) provision(ctx context.Context, b *bus.Bus) error {
	if s.natsd != nil {
		if err := b.EnsureStreams(ctx); err != nil {
			return err
		}
		return b.EnsureConsumers(ctx, ConsumersWith(s.opts.Connections))
	}
	if err := b.RequireStreams(ctx, s.connected); err != nil {
		return err
	}
	if err := b.Require(ctx, s.consumers); err != nil {
		return err
	}
	s.makeConnected(ctx, b)
	return nil
}

// connectedWithin is how long the consumers of connections are waited for at the start. Where the broker refuses one, it says nothing.
const connectedWithin = 3 * time.Second

// makeConnected makes the consumers of connections where the broker lets this process, so that what is recorded from the start on is
// told. The worker asks again for those that are missing then.
func (s *Stack) makeConnected(ctx context.Context, b *bus.Bus) {
	ctx, cancel := context.WithTimeout(ctx, connectedWithin)
	defer cancel()
	var all sync.WaitGroup
	for _, c := range s.connected {
		all.Go(func() {
			if err := b.Require(ctx, []bus.Consumer{c}); err != nil {
				s.log.Debug().Err(err).Str("consumer", c.Name).Msg("the consumer of a connection is missing")
			}
		})
	}
	all.Wait()
}

func startSandbox(_ context.Context, s *Stack) (func() error, error) {
	l, url, err := Listen("--sandbox-listen", s.opts.SandboxListen)
	if err != nil {
		return nil, err
	}
	cfg := s.opts.Sandbox
	cfg.BaseURL, cfg.Log = url, s.log
	if cfg.Data == "" && s.opts.Data != "" {
		cfg.Data = s.opts.Data + "/sandbox"
	}
	sb, err := sandbox.New(cfg)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.Sandbox, s.URLs.Sandbox, s.URLs.Provider = sb, url, url+sandbox.Path
	end := Serve(l, sb, AnswerAnyTime, s.fail)
	return func() error { return errors.Join(end(), sb.Close()) }, nil
}

// leastConns is more calls at once than all windows of a usual number of terminals have room for.
const leastConns = 4096

func startProvider(ctx context.Context, s *Stack) (func() error, error) {
	recorder, closeRecorder := s.opts.Recorder, func() {}
	if recorder == nil && s.opts.RecordExchanges {
		kept := exchanges.Start(ctx, s.Bus, s.log)
		recorder, closeRecorder = kept, kept.Close
	}
	cfg := s.opts.ClientConfig()
	cfg.Endpoint, cfg.AllowHTTP, cfg.Recorder, cfg.Observe = s.URLs.Provider, cfg.AllowHTTP || s.Sandbox != nil, recorder, countCalls(s.Registry)
	cfg.MaxConns = max(leastConns, 2*s.opts.PollConcurrency) // the windows of terminals are the bound, not this
	c, err := NewClient(cfg)
	if err != nil {
		closeRecorder()
		return nil, err
	}
	s.Client = c
	return func() error { c.CloseIdle(); closeRecorder(); return nil }, nil
}

// countCalls gives what counts the provider's calls, in a metric that has every operation and class at 0 from the start.
func countCalls(reg prometheus.Registerer) func(string, seqr.Class, time.Duration) {
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "seqrflow", Name: "provider_calls_total",
		Help: "Calls to the provider that have ended, by operation and by what the end says: done, refused, try again, try later (these three: certainly not done), outcome unknown (no answer that can be relied on)."},
		[]string{"operation", "outcome"})
	for _, o := range seqr.Operations() {
		for _, c := range seqr.Classes() {
			calls.WithLabelValues(o, c.String())
		}
	}
	reg.MustRegister(calls)
	return func(operation string, class seqr.Class, _ time.Duration) {
		calls.WithLabelValues(operation, class.String()).Inc()
	}
}

func startGateway(_ context.Context, s *Stack) (_ func() error, err error) {
	l, url, err := Listen("--gateway-listen", s.opts.GatewayListen)
	if err != nil {
		return nil, err
	}
	s.URLs.Gateway = url
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	hub := orderview.NewHub(s.Bus, s.log)
	cfg, err := s.gatewayConfig(hub)
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(cfg)
	if err != nil {
		return nil, err
	}
	stop, err := s.Bus.ForwardOrders(gateway.Name, gateway.NewQuota(s.opts.ShopQuota, time.Now).Admit)
	if err != nil {
		return nil, err
	}
	following, working := s.background(hub.Run), s.background(g.Run)
	end := Serve(l, g, answerTime, s.fail)
	// The hub ends first: with it end the streams and the waiting of requests, so that they are answered and not cut off.
	return func() error { return errors.Join(following(), end(), stop(), working()) }, nil
}

// gatewayConfig gives the gateway the HTTP API, and the buyers' pages where the connections name their key. Their address is the gateway's own
// unless one is given.
func (s *Stack) gatewayConfig(hub *orderview.Hub) (gateway.Config, error) {
	c := gateway.Config{
		Bus: s.Bus, Connections: s.opts.Connections,
		PerMinute: s.opts.GatewayPerMinute, Proxies: s.opts.GatewayProxies, Metrics: s.Registry, Log: s.log,
	}
	api := orderapi.Config{Bus: s.Bus, Hub: hub, Connections: s.opts.Connections, PerMinute: s.opts.GatewayPerMinute, Metrics: s.Registry, Log: s.log}
	if len(s.opts.Connections.Checkout.Key) > 0 {
		joined := s.opts.Connections
		joined.Checkout.BaseURL = cmp.Or(joined.Checkout.BaseURL, s.URLs.Gateway)
		pages, err := checkout.Settings(joined)
		if err != nil {
			return c, fmt.Errorf("connections: %w", err)
		}
		pages.Bus, pages.Hub, pages.Log, pages.TestWallet, s.Links = s.Bus, hub, s.log, s.URLs.Sandbox, pages.Links
		if c.Pages, err = checkout.New(pages); err != nil {
			return c, err
		}
		c.ReturnURL, api.ReturnURL, api.CheckoutURL = pages.Links.Return, pages.Links.Return, pages.Links.Page
	}
	var err error
	c.API, err = orderapi.New(api)
	return c, err
}
