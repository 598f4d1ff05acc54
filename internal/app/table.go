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
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/gateway"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/reconciler"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// component is one row of the table. start returns when it is ready, with what ends it.
type component struct {
	name      string
	about     string // "" for what is only needed by others
	needs     []string
	consumers func() []bus.Consumer // that a worker takes its messages from
	start     func(context.Context, *Stack) (end func() error, err error)
}

// isWorker: it consumes messages, and has to be drained while the broker and the provider are there.
func (c component) isWorker() bool { return c.consumers != nil }

// table is every component in the order in which they start.
func table() []component {
	worker := []string{"bus", "provider"}
	return []component{
		{"natsd", "the embedded NATS server", nil, nil, startNATS},
		{"sandbox", "the provider's stand-in", nil, nil, startSandbox},
		{"bus", "", nil, nil, startBus},
		{"provider", "", []string{"bus"}, nil, startProvider},
		{"http", "health and metrics", []string{"bus"}, nil, startHTTP},
		{"gateway", "takes the provider's notifications, and orders from shops' own accounts at the broker", []string{"bus"}, nil, startGateway},
		{"invoicer", "turns placed orders into invoices", worker, invoicer.Consumers, run(newInvoicer)},
		{"poller", "watches open invoices until they are paid or over", worker, poller.Consumers, run(newPoller)},
		{"receipter", "sends receipts", worker, receipter.Consumers, run(newReceipter)},
		{"canceler", "cancels, and ends what is overdue", worker, canceler.Consumers, run(newCanceler)},
		{"refunder", "pays back", worker, refunder.Consumers, run(newRefunder)},
		{"reconciler", "closes periods and compares ledgers", worker, reconciler.Consumers, run(newReconciler)},
	}
}

// runner is a worker: it blocks until ctx ends.
type runner interface {
	Run(context.Context) error
}

func run(make func(*Stack) (runner, error)) func(context.Context, *Stack) (func() error, error) {
	return func(_ context.Context, s *Stack) (func() error, error) {
		w, err := make(s)
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
	return b.Look(ctx, s.consumers)
}

func startSandbox(_ context.Context, s *Stack) (func() error, error) {
	l, url, err := listen("sandbox", s.opts.SandboxListen)
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
	stop, err := s.bus.ForwardOrders(gateway.NewQuota(s.opts.ShopQuota, time.Now).Admit)
	if err != nil {
		return nil, err
	}
	l, url, err := listen("gateway", s.opts.GatewayListen)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	s.urls["gateway"] = url
	end := s.serve(l, gateway.Handler(s.bus, s.log), answerTime)
	return func() error { return errors.Join(end(), stop()) }, nil
}

func newInvoicer(s *Stack) (runner, error) {
	notify := s.opts.NotifyURL
	if notify == "" && s.sandbox != nil {
		notify = s.GatewayURL()
	}
	return invoicer.New(invoicer.Config{
		Bus: s.bus, Provider: s.client, Shops: s.opts.ShopList, Only: s.opts.Shops, ValidFor: s.opts.ValidFor,
		NotifyURL: notify, DebugLink: s.opts.ProviderTest || s.sandbox != nil, Log: s.log,
	}), nil
}

func newPoller(s *Stack) (runner, error) {
	return poller.New(poller.Config{
		Bus: s.bus, Provider: s.client, Shops: s.opts.ShopList, Only: s.opts.Shops, Interval: s.opts.PollInterval, Concurrency: s.opts.PollConcurrency, Metrics: s.registry, Log: s.log,
	}), nil
}

func newReceipter(s *Stack) (runner, error) {
	cfg := receipter.Config{Bus: s.bus, Provider: s.client, Shops: s.opts.ShopList, Only: s.opts.Shops}
	if s.opts.ReceiptTemplate != "" {
		t, err := receipter.LoadTemplate(s.opts.ReceiptTemplate)
		if err != nil {
			return nil, err
		}
		cfg.Template = t
	}
	return receipter.New(cfg), nil
}

func newCanceler(s *Stack) (runner, error) {
	return canceler.New(canceler.Config{Bus: s.bus, Provider: s.client, Shops: s.opts.ShopList, Only: s.opts.Shops}), nil
}

func newRefunder(s *Stack) (runner, error) {
	return refunder.New(refunder.Config{
		Bus: s.bus, Provider: s.client, Shops: s.opts.ShopList, Only: s.opts.Shops, KeepSecond: s.opts.KeepSecond, Metrics: s.registry, Log: s.log,
	}), nil
}

func newReconciler(s *Stack) (runner, error) {
	return reconciler.New(reconciler.Config{Bus: s.bus, Provider: s.client, Shops: s.opts.ShopList, Only: s.opts.Shops, Metrics: s.registry, Log: s.log}), nil
}
