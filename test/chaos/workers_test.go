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
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

type worker interface{ Run(context.Context) error }

// tools are what a worker is made with.
type tools struct {
	bus      *bus.Bus
	provider provider
	shops    outcomes.Shops
}

// makers of the workers, by name.
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
	}
}

// incarnation is one life of one copy of a worker, with a connection and a provider of its own. Once it
// is dead nothing that it does has any effect.
type incarnation struct {
	worker string
	number int
	world  *world
	line   *line
	ended  atomic.Bool
	struck atomic.Bool // it has died or lost the broker
	died   chan struct{}
	stop   context.CancelFunc
	once   sync.Once
}

func (i *incarnation) dead() bool { return i.ended.Load() }

// die at once, in the middle of whatever it does.
func (i *incarnation) die() {
	i.once.Do(func() {
		i.ended.Store(true)
		i.line.cut()
		i.stop()
		close(i.died)
	})
}

// meet asks the schedule what happens to the worker at this boundary.
func (i *incarnation) meet(at boundary) (strike func()) {
	if at == "" || i.dead() {
		return nil
	}
	d, ok := i.world.doomed(i.worker, at)
	if !ok {
		return nil
	}
	return func() {
		i.struck.Store(true)
		i.world.note("%s: %s", i, d)
		if d.Blip == 0 {
			i.die()
			return
		}
		i.line.cut()
		time.AfterFunc(d.Blip, func() {
			i.world.touch()
			i.line.mend()
		})
	}
}

// begin a life of the worker with these settings. It returns once the worker runs; over is closed when its Run has returned.
func (w *world) begin(name string, s shops) (i *incarnation, over <-chan error) {
	ctx, stop := context.WithCancel(context.Background())
	i = &incarnation{worker: name, number: int(w.births.Add(1)), world: w, died: make(chan struct{}), stop: stop}
	i.line = &line{broker: w.broker, meet: i.meet}
	if _, ok := w.makers[withoutSequence]; ok {
		i.line.spoil = unconditional
	}
	ended := make(chan error, 1)
	b, err := bus.Connect(ctx, w.busConfig(i.String(), nats.InProcessServer(i.line), nats.ReconnectWait(10*time.Millisecond)))
	if err != nil {
		ended <- err
		return i, ended
	}
	run := w.makers[name](tools{bus: b, provider: far{w.client, i}, shops: s})
	finished := make(chan struct{})
	go func() {
		err := run.Run(ctx)
		close(finished)
		b.Close()
		ended <- err
	}()
	go func() { // a dead process keeps no connection, and what waits for an answer on it should know
		select {
		case <-i.died:
			b.Close()
		case <-finished:
		}
	}()
	return i, ended
}

// keep one copy of the worker alive until the world ends: after every death comes another life.
func (w *world) keep(name string, nth int) {
	for {
		if !w.waitForLeave(name) {
			return
		}
		settings, renewed := w.settings(nth)
		i, over := w.begin(name, settings)
		select {
		case <-i.died:
			w.deadWorkers.Go(func() { <-over })
		case <-renewed:
			i.die()
			w.deadWorkers.Go(func() { <-over })
		case <-w.absent(name):
			i.die()
			w.deadWorkers.Go(func() { <-over })
		case err := <-over:
			w.fault("%s stopped by itself: %v", i, err)
			i.stop()
			return
		case <-w.closing:
			i.stop()
			if err := <-over; err != nil && !i.dead() {
				w.fault("%s ended with %v", i, err)
			}
			return
		}
	}
}

// doomed counts that a worker has come to a boundary, and says whether it is the time that it dies.
func (w *world) doomed(name string, at boundary) (death, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noMoreDeaths {
		return death{}, false
	}
	k := name + " " + string(at)
	w.visits[k]++
	for _, d := range w.schedule.Deaths {
		if d.Worker == name && d.At == at && d.Nth == w.visits[k] {
			w.strokes[k]++
			return d, true
		}
	}
	return death{}, false
}

// waitForLeave waits until the worker may be there; false when the world has ended instead.
func (w *world) waitForLeave(name string) bool {
	if name != poller.Name {
		return true
	}
	w.mu.Lock()
	back := w.back
	w.mu.Unlock()
	if back == nil {
		return true
	}
	select {
	case <-back:
		return true
	case <-w.closing:
		return false
	}
}

// absent is closed when the pollers have to be gone.
func (w *world) absent(name string) <-chan struct{} {
	if name != poller.Name {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}

var _ provider = (*seqr.Client)(nil)
