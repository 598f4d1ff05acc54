package chaos

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	outcomes "github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/notifier"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

type worker interface{ Run(context.Context) error }

// tools are what an instance of a worker is made with.
type tools struct {
	bus      *bus.Bus
	provider provider
	shops    outcomes.Shops

	destinations []notifier.Destination // of the notifier
}

// makers make the workers, by name. A name that is no worker changes how the simulation works.
type makers map[string]func(tools) worker

func realWorkers() makers {
	return makers{
		invoicer.Name: func(t tools) worker {
			return invoicer.New(invoicer.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops, ValidFor: validFor, Log: zerolog.Nop()})
		},
		poller.Name: func(t tools) worker {
			return poller.New(poller.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops, Interval: pollEvery, Log: zerolog.Nop()})
		},
		receipter.Name: func(t tools) worker {
			return receipter.New(receipter.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops})
		},
		canceler.Name: func(t tools) worker {
			return canceler.New(canceler.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops})
		},
		refunder.Name: func(t tools) worker {
			return refunder.New(refunder.Config{Bus: t.bus, Provider: t.provider, Shops: t.shops})
		},
		notifier.Name: func(t tools) worker {
			return notifier.New(notifier.Config{
				Bus: t.bus, Destinations: t.destinations, Log: zerolog.Nop(),
				Backoff: bus.Backoff{First: 10 * time.Millisecond, Most: 100 * time.Millisecond},
				Probes:  bus.Backoff{First: 20 * time.Millisecond, Most: 200 * time.Millisecond},
			})
		},
	}
}

// instance is one start of one copy of a worker, with a connection and a provider of its own. Once it
// has crashed nothing that it does has any effect.
type instance struct {
	worker      string
	number      int
	sim         *simulation
	link        *link
	ended       atomic.Bool
	interrupted atomic.Bool // it has crashed or lost the broker
	crashed     chan struct{}
	ctx         context.Context // ends when it stops or crashes
	stop        context.CancelFunc
	once        sync.Once
}

func (i *instance) hasCrashed() bool { return i.ended.Load() }

// crash ends the instance at once, in the middle of whatever it does.
func (i *instance) crash() {
	i.once.Do(func() {
		i.ended.Store(true)
		i.link.cut()
		i.stop()
		close(i.crashed)
	})
}

// reach says what interrupts the worker at this boundary; nil is nothing.
func (i *instance) reach(at boundary) (interrupt func()) {
	if at == "" || i.hasCrashed() {
		return nil
	}
	d, ok := i.sim.dueInterruption(i.worker, at)
	if !ok {
		return nil
	}
	return func() {
		i.interrupted.Store(true)
		i.sim.logf("%s: %s", i, d)
		if d.Blip == 0 {
			i.crash()
			return
		}
		i.link.cut()
		time.AfterFunc(d.Blip, func() {
			i.sim.markActive()
			i.link.mend()
		})
	}
}

// startInstance starts a worker with these settings. It returns once the worker runs; over gives what its Run returned.
func (sim *simulation) startInstance(name string, s shops) (i *instance, over <-chan error) {
	ctx, stop := context.WithCancel(context.Background())
	i = &instance{worker: name, number: int(sim.started.Add(1)), sim: sim, crashed: make(chan struct{}), ctx: ctx, stop: stop}
	i.link = &link{broker: sim.broker, reach: i.reach, hold: func() time.Duration { return sim.holdAck(i.worker) }}
	if _, ok := sim.makers[withoutSequence]; ok {
		i.link.tamper = renameSequenceHeader
	}
	ended := make(chan error, 1)
	b, err := bus.Connect(ctx, sim.busConfig(i.String(), nats.InProcessServer(i.link), nats.ReconnectWait(10*time.Millisecond)))
	if err != nil {
		ended <- err
		return i, ended
	}
	run := sim.makers[name](tools{bus: b, provider: faultyProvider{sim.client, i}, shops: s, destinations: i.notifierDestinations()})
	finished := make(chan struct{})
	go func() {
		err := run.Run(ctx)
		close(finished)
		b.Close()
		ended <- err
	}()
	go func() { // a crashed process keeps no connection, and a request that waits on it fails
		select {
		case <-i.crashed:
			b.Close()
		case <-finished:
		}
	}()
	return i, ended
}

// keepRunning runs one copy of the worker until the simulation ends: after every crash it starts the next instance.
func (sim *simulation) keepRunning(name string, nth int) {
	for {
		if !sim.waitUntilAllowed(name) {
			return
		}
		settings, renewed := sim.settings(nth)
		i, over := sim.startInstance(name, settings)
		select {
		case <-i.crashed:
			sim.crashedWorkers.Go(func() { <-over })
		case <-renewed: // an answer that it has had may be lost with it
			i.interrupted.Store(true)
			i.crash()
			sim.crashedWorkers.Go(func() { <-over })
		case <-sim.mustStop(name):
			i.crash()
			sim.crashedWorkers.Go(func() { <-over })
		case err := <-over:
			sim.failf("%s stopped by itself: %v", i, err)
			i.stop()
			return
		case <-sim.closing:
			i.stop()
			if err := <-over; err != nil && !i.hasCrashed() {
				sim.failf("%s ended with %v", i, err)
			}
			return
		}
	}
}

// dueInterruption counts that a worker has reached a boundary, and gives the interruption that is due there.
func (sim *simulation) dueInterruption(name string, at boundary) (interruption, bool) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	if sim.noMoreInterruptions {
		return interruption{}, false
	}
	k := name + " " + string(at)
	sim.visits[k]++
	for _, d := range sim.schedule.Interruptions {
		if d.Worker == name && d.At == at && d.Nth == sim.visits[k] {
			sim.interruptions[k]++
			return d, true
		}
	}
	return interruption{}, false
}

// waitUntilAllowed waits until the worker may start. It gives false when the simulation has ended instead.
func (sim *simulation) waitUntilAllowed(name string) bool {
	if name != poller.Name {
		return true
	}
	sim.mu.Lock()
	start := sim.pollersStart
	sim.mu.Unlock()
	if start == nil {
		return true
	}
	select {
	case <-start:
		return true
	case <-sim.closing:
		return false
	}
}

// mustStop gives the channel that is closed when the worker has to stop; nil is never.
func (sim *simulation) mustStop(name string) <-chan struct{} {
	if name != poller.Name {
		return nil
	}
	sim.mu.Lock()
	defer sim.mu.Unlock()
	return sim.pollersStop
}

var _ provider = (*seqr.Client)(nil)
