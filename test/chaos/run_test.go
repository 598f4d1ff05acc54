package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/notifier"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// brokers gives each schedule an embedded broker of its own, so that none sees another's messages.
type brokers struct {
	dir      string
	patience time.Duration // with one schedule
	served   atomic.Int64
	closing  sync.WaitGroup
}

// broker of one schedule.
type broker struct {
	server *natsd.Server
	dir    string
	conn   nats.InProcessConnProvider
}

func newBrokers(t *testing.T, patience time.Duration) *brokers {
	b := &brokers{dir: folder(t), patience: patience}
	t.Cleanup(b.closing.Wait)
	return b
}

// folder gives a folder in memory where there is such a place: this is no test of the disk.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "chaos")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (b *brokers) start(of schedule) (*broker, error) {
	dir := filepath.Join(b.dir, fmt.Sprint(b.served.Add(1)))
	server, err := natsd.Start(context.Background(), natsd.Config{Data: dir})
	if err != nil {
		return nil, err
	}
	var o nats.Options
	if err := server.InProcess()(&o); err != nil {
		return nil, err
	}
	s := &broker{server: server, dir: dir, conn: o.InProcessServer}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bus, err := bus.Connect(ctx, bus.Config{Name: "streams", Options: []nats.Option{nats.InProcessServer(s.conn)}, Log: zerolog.Nop(), AckWait: ackWait})
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	if err := bus.EnsureStreams(ctx); err != nil {
		return nil, err
	}
	return s, bus.EnsureConsumers(ctx, slices.Concat(consumers(), notifier.Consumers(of.connections())))
}

// end ends the broker and removes its data.
func (s *broker) end() {
	s.server.Close()
	_ = os.RemoveAll(s.dir) // else the folder above it goes at the end of the test
}

// consumers are those of all workers that make and end invoices.
func consumers() []bus.Consumer {
	return slices.Concat(invoicer.Consumers(), poller.Consumers(), receipter.Consumers(), canceler.Consumers(), refunder.Consumers())
}

// result of one schedule.
type result struct {
	schedule      schedule
	problems      []string
	trace         []string
	interruptions map[string]int // by worker and boundary
	took          time.Duration
}

// run carries out one schedule with these workers. It gives up when ctx ends.
func (b *brokers) run(ctx context.Context, s schedule, m makers) (result, error) {
	broker, err := b.start(s)
	if err != nil {
		return result{}, err
	}
	sim, err := newSimulation(s, broker.conn, m, b.patience)
	if err != nil {
		broker.end()
		return result{}, err
	}
	sim.run(ctx)
	r := result{schedule: s, took: time.Since(sim.begun)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	e, err := sim.gather(ctx)
	if err == nil {
		r.problems = e.check()
	}
	sim.mu.Lock()
	r.interruptions = maps.Clone(sim.interruptions)
	r.trace = append([]string{}, sim.trace...)
	sim.mu.Unlock()
	b.closing.Go(func() {
		sim.close()
		broker.end()
	})
	return r, err
}

func (r result) String() string {
	return fmt.Sprintf("%s\ntrace:\n%s\nproblems:\n  %s", r.schedule, strings.Join(r.trace, "\n"), strings.Join(r.problems, "\n  "))
}
