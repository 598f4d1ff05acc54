package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
)

// brokers hands out the embedded broker that schedules share, and a fresh one after a while, so that none
// grows old. Each schedule has a shop of its own, so none sees another's messages.
type brokers struct {
	dir      func() string
	patience time.Duration // with one schedule

	mu      sync.Mutex
	current *shared
	served  int
}

type shared struct {
	server *natsd.Server
	users  sync.WaitGroup
	conn   nats.InProcessConnProvider
}

const perBroker = 100

func newBrokers(t *testing.T, patience time.Duration) *brokers {
	b := &brokers{dir: func() string { return folder(t) }, patience: patience}
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.retire()
	})
	return b
}

// folder in memory where there is such a place: this is no test of the disk.
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

// take a broker and a shop on it.
func (b *brokers) take() (s *shared, shop string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.served%perBroker == 0 {
		b.retire()
		if b.current, err = start(b.dir()); err != nil {
			return nil, "", err
		}
	}
	b.served++
	b.current.users.Add(1)
	return b.current, fmt.Sprintf("s%d", b.served), nil
}

// retire the broker once its last schedule is over.
func (b *brokers) retire() {
	if old := b.current; old != nil {
		b.current = nil
		old.users.Wait()
		old.server.Close()
	}
}

func start(dir string) (*shared, error) {
	server, err := natsd.Start(natsd.Config{Data: dir})
	if err != nil {
		return nil, err
	}
	var o nats.Options
	if err := server.InProcess()(&o); err != nil {
		return nil, err
	}
	s := &shared{server: server, conn: o.InProcessServer}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	hub, err := bus.Connect(ctx, bus.Config{Name: "streams", Options: []nats.Option{nats.InProcessServer(s.conn)}, Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	defer hub.Close()
	return s, hub.EnsureStreams(ctx)
}

// result of one schedule.
type result struct {
	schedule schedule
	problems []string
	trace    []string
	strokes  map[string]int // deaths and lost connections by worker and boundary
	took     time.Duration
}

// run one schedule with these workers.
func (b *brokers) run(s schedule, m makers) (result, error) {
	broker, shop, err := b.take()
	if err != nil {
		return result{}, err
	}
	w, err := newWorld(s, broker.conn, shop, m, b.patience)
	if err != nil {
		broker.users.Done()
		return result{}, err
	}
	w.live()
	r := result{schedule: s, took: time.Since(w.begun)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, err := w.gather(ctx)
	if err == nil {
		r.problems = e.check()
	}
	w.mu.Lock()
	r.strokes = maps.Clone(w.strokes)
	r.trace = append([]string{}, w.trace...)
	w.mu.Unlock()
	go func() {
		defer broker.users.Done()
		w.close()
	}()
	return r, err
}

func (r result) String() string {
	return fmt.Sprintf("%s\ntrace:\n%s\nproblems:\n  %s", r.schedule, strings.Join(r.trace, "\n"), strings.Join(r.problems, "\n  "))
}
