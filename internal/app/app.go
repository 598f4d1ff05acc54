// Package app runs components in one process. A container with one worker and a laptop with everything differ only in the names
// that are chosen from one table.
//
//	table.go     the table: each component with its consumers, its rights at the broker, and what it needs; how workers are made
//	app.go       Start chooses rows and starts them in order; Stop drains the workers first, then ends the rest
//	start.go     how the other components start: broker, bus, provider's client, sandbox, gateway
//	http.go      health, metrics, and the limits of every HTTP listener
//	settings.go  the settings that long-running commands share, and the shops' credentials; shops.go finds a shop's; keys.go
//	             finds misspelt keys
package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// All stands for every target.
const All = "all"

// drainTime bounds how long Stop waits for all components together.
const drainTime = 4500 * time.Millisecond

// Options of one process.
type Options struct {
	Settings
	Targets       []string       // names from [Targets], or "all"
	NATSListen    string         // of the embedded broker; port 0 is a free one
	SandboxListen string         // of the embedded sandbox; port 0 is a free one
	Data          string         // folder of both
	Sandbox       sandbox.Config // of the embedded sandbox
	Provision     bool           // make streams and consumers; a worker otherwise looks for its own
	Recorder      seqr.Recorder  // is given every exchange with the provider; may be nil
	Log           zerolog.Logger
}

// Targets are all components that can be asked for, in the order in which they start.
func Targets() []Target {
	var out []Target
	for _, c := range table() {
		if c.About != "" {
			out = append(out, c.Target)
		}
	}
	return out
}

// Processes are the targets that may run in a process of their own: the workers and the gateway.
func Processes() []Target {
	return slices.DeleteFunc(Targets(), func(t Target) bool { return !t.Process })
}

// Consumers are the durables of all workers.
func Consumers() []bus.Consumer {
	var all []bus.Consumer
	for _, t := range Targets() {
		all = append(all, t.Consumers...)
	}
	return all
}

// Stack is the components that run.
type Stack struct {
	opts     Options
	log      zerolog.Logger
	registry *prometheus.Registry

	natsd   *natsd.Server
	sandbox *sandbox.Sandbox
	bus     *bus.Bus
	client  *seqr.Client
	urls    map[string]string

	consumers []bus.Consumer // of the workers that run here

	running []running
	failed  chan error
	ctx     context.Context
	stop    sync.Once
	stopErr error
}

// running is one started component.
type running struct {
	name   string
	worker bool
	end    func() error // stops it and waits
}

// Start the targets and whatever they need, and return when they are ready. When one cannot start,
// those before it are stopped again.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if err := o.Settings.Validate(); err != nil {
		return nil, err
	}
	chosen, err := choose(o.Targets)
	if err != nil {
		return nil, err
	}
	s := &Stack{opts: o, log: o.Log, registry: prometheus.NewRegistry(), urls: map[string]string{}, failed: make(chan error, len(chosen)), ctx: ctx}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildMetric())
	for _, c := range chosen {
		s.consumers = append(s.consumers, c.Consumers...)
	}
	for _, c := range chosen {
		end, err := c.start(ctx, s)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.Name, err), s.Stop())
		}
		s.running = append(s.running, running{c.Name, c.isWorker(), end})
	}
	return s, nil
}

// choose gives the named components and all that they need, in the table's order.
func choose(names []string) ([]component, error) {
	all := table()
	want := map[string]bool{}
	var add func(string) error
	add = func(name string) error {
		i := slices.IndexFunc(all, func(c component) bool { return c.Name == name })
		if i < 0 {
			return fmt.Errorf("there is no component %q; there are %s", name, strings.Join(targetNames(), ", "))
		}
		want[name] = true
		for _, n := range all[i].needs {
			if err := add(n); err != nil {
				return err
			}
		}
		return nil
	}
	if slices.Contains(names, All) {
		names = targetNames()
	}
	for _, n := range names {
		if err := add(n); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(c component) bool { return !want[c.Name] }), nil
}

func targetNames() []string {
	var names []string
	for _, t := range Targets() {
		names = append(names, t.Name)
	}
	return names
}

// Wait until ctx ends, or until a component fails.
func (s *Stack) Wait() error {
	select {
	case <-s.ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

// Stop drains the workers, all at the same time, and then ends the rest in the reverse of the order in
// which it started.
func (s *Stack) Stop() error {
	s.stop.Do(func() {
		errs := make([]error, len(s.running))
		end := func(i int) {
			if err := s.running[i].end(); err != nil {
				errs[i] = fmt.Errorf("%s: %w", s.running[i].name, err)
			}
		}
		var workers sync.WaitGroup
		for i := range s.running {
			if s.running[i].worker {
				workers.Go(func() { end(i) })
			}
		}
		workers.Wait()
		for i := range slices.Backward(s.running) {
			if !s.running[i].worker {
				end(i)
			}
		}
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}

// Bus is the connection that the workers share.
func (s *Stack) Bus() *bus.Bus { return s.bus }

// Client is the provider's client that the workers share.
func (s *Stack) Client() *seqr.Client { return s.client }

// Sandbox is the embedded one; nil when it is not among the targets.
func (s *Stack) Sandbox() *sandbox.Sandbox { return s.sandbox }

// Registry holds the process's metrics.
func (s *Stack) Registry() *prometheus.Registry { return s.registry }

// NATSURL is the broker's address.
func (s *Stack) NATSURL() string {
	if s.natsd != nil {
		return s.natsd.URL()
	}
	return s.opts.NATS
}

// SandboxURL is the embedded sandbox's address.
func (s *Stack) SandboxURL() string { return s.urls["sandbox"] }

// ProviderURL is the SOAP endpoint that is called.
func (s *Stack) ProviderURL() string {
	if u := s.SandboxURL(); u != "" {
		return u + sandbox.Path
	}
	return s.opts.Provider
}

// HTTPURL is where health and metrics are.
func (s *Stack) HTTPURL() string { return s.urls["http"] }

// GatewayURL is where the gateway is.
func (s *Stack) GatewayURL() string { return s.urls["gateway"] }
