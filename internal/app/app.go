// Package app runs components in one process. A container with one worker and a laptop with everything differ only in the names
// that are chosen from one table.
//
//	table.go     the table: each component with its consumers, its rights at the broker, and what it needs; how workers are made
//	app.go       Start chooses rows and starts them in order; Stop drains the workers first, then ends the rest
//	start.go     how the other components start: broker, bus, provider's client, sandbox, gateway
//	http.go      health, metrics, and the limits of every HTTP listener
//	private.go   a program that runs for one command only
//	settings.go  the settings that long-running commands share, and the shops' credentials; shops.go finds a shop's
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
	"github.com/seqrflow/seqrflow/internal/checkout"
	"github.com/seqrflow/seqrflow/internal/connections"
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

// Consumers are the durables of all workers whose durables depend on no setting.
func Consumers() []bus.Consumer { return ConsumersWith(connections.File{}) }

// ConsumersWith are the durables of all workers when shops' systems are joined as the file says.
func ConsumersWith(f connections.File) []bus.Consumer {
	var all []bus.Consumer
	for _, t := range Targets() {
		all = append(all, t.ConsumersWith(f)...)
	}
	return all
}

// ConsumersWith are the durables of the target when shops' systems are joined as the file says.
func (t Target) ConsumersWith(f connections.File) []bus.Consumer {
	if t.Connected == nil {
		return t.Consumers
	}
	return append(slices.Clone(t.Consumers), t.Connected(f)...)
}

// Stack is the components that run. Its exported fields are not to be changed.
type Stack struct {
	Bus      *bus.Bus             // the connection that the workers share
	Client   *seqr.Client         // of the provider; the workers share it
	Sandbox  *sandbox.Sandbox     // nil when it is not among the targets
	Registry *prometheus.Registry // the process's metrics
	URLs     URLs
	Links    checkout.Links // to the checkout pages, where the gateway has any

	opts  Options
	log   zerolog.Logger
	natsd *natsd.Server

	consumers []bus.Consumer // of the workers that run here
	connected []bus.Consumer // more of them, for the shops' systems that are joined
	writesAs  string         // the process under whose name it is tried whether the broker takes what is written

	running []running
	failed  chan error
	ctx     context.Context
	stop    sync.Once
	stopErr error
}

// URLs of the components: the broker, the embedded sandbox, the provider's SOAP endpoint, health and metrics, and the gateway.
type URLs struct{ NATS, Sandbox, Provider, HTTP, Gateway string }

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
	s := &Stack{opts: o, log: o.Log, Registry: prometheus.NewRegistry(), URLs: URLs{NATS: o.NATS, Provider: o.Provider}, failed: make(chan error, 1), ctx: ctx}
	s.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildMetric())
	for _, c := range chosen {
		s.consumers = append(s.consumers, c.Consumers...)
		if c.Connected != nil {
			s.connected = append(s.connected, c.Connected(o.Connections)...)
		}
		if c.isWorker() && s.writesAs == "" {
			s.writesAs = c.Name
		}
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

// fail ends Wait with the error. One that follows another changes nothing more.
func (s *Stack) fail(err error) {
	select {
	case s.failed <- err:
	default:
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
