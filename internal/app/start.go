package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/exchanges"
	"github.com/seqrflow/seqrflow/internal/natsd"
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
			s.failed <- err
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
	n, err := natsd.StartContext(ctx, natsd.Config{Listen: s.opts.NATSListen, Data: s.opts.Data, Log: s.log})
	if err != nil {
		return nil, err
	}
	s.natsd = n
	return func() error { n.Close(); return nil }, nil
}

func startBus(ctx context.Context, s *Stack) (func() error, error) {
	credentials, err := s.opts.Credentials.Options()
	if err != nil {
		return nil, err
	}
	cfg := bus.Config{URL: s.opts.NATS, Name: "seqrflow", Replicas: s.opts.Replicas, Log: s.log, Metrics: s.registry}
	cfg.Options = credentials
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
	s.bus = b
	return func() error { b.Close(); return nil }, nil
}

// provision makes streams and consumers, or makes sure that what the workers here need is there.
func (s *Stack) provision(ctx context.Context, b *bus.Bus) error {
	switch {
	case s.opts.Provision || s.natsd != nil:
		if err := b.EnsureStreams(ctx); err != nil {
			return err
		}
		return b.EnsureConsumers(ctx, Consumers())
	case len(s.consumers) == 0:
		return nil // the gateway reads no stream
	}
	return b.Require(ctx, s.consumers)
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
	s.sandbox, s.urls["sandbox"] = sb, url
	end := s.serve(l, sb, noAnswerTime)
	return func() error { return errors.Join(end(), sb.Close()) }, nil
}

// leastConns is more calls at once than all windows of a usual number of terminals have room for.
const leastConns = 4096

func startProvider(ctx context.Context, s *Stack) (func() error, error) {
	recorder, closeRecorder := s.recorder(ctx)
	c, err := seqr.New(seqr.Config{
		Endpoint: s.ProviderURL(), AllowHTTP: s.opts.ProviderHTTP || s.SandboxURL() != "", ClientID: s.opts.ClientID,
		ClientReference: s.opts.ClientReference, Timeout: s.opts.ProviderTimeout, Recorder: recorder,
		MaxConns: max(leastConns, 2*s.opts.PollConcurrency), // the windows of terminals are the bound, not this
		Observe:  countCalls(s.registry),
	})
	if err != nil {
		closeRecorder()
		return nil, err
	}
	s.client = c
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

// recorder is the one that the command brought, or the one that keeps exchanges on a stream.
func (s *Stack) recorder(ctx context.Context) (r seqr.Recorder, end func()) {
	if s.opts.Recorder != nil || !s.opts.RecordExchanges {
		return s.opts.Recorder, func() {}
	}
	kept := exchanges.Start(ctx, s.bus, s.log)
	return kept, kept.Close
}

func startGateway(_ context.Context, s *Stack) (func() error, error) {
	stop, err := s.bus.ForwardOrders("gateway", gateway.NewQuota(s.opts.ShopQuota, time.Now).Admit)
	if err != nil {
		return nil, err
	}
	l, url, err := Listen("--gateway-listen", s.opts.GatewayListen)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	s.urls["gateway"] = url
	end := s.serve(l, gateway.Handler(s.bus, s.log), answerTime)
	return func() error { return errors.Join(end(), stop()) }, nil
}
