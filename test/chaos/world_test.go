package chaos

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

const (
	// Real time. A message that a dead worker held comes again after ackWait.
	ackWait   = 500 * time.Millisecond
	pollEvery = 30 * time.Millisecond
	quiet     = ackWait + 150*time.Millisecond
	lookEvery = 100 * time.Millisecond
	patience  = 2 * time.Minute

	// The provider's time, which is also the workers'. It runs some twenty times as fast.
	validFor  = 10 * time.Minute
	lifetime  = 2 * time.Hour // after which the provider ends a bill that nobody pays
	tick      = 400 * time.Millisecond
	tickEvery = 20 * time.Millisecond
	unfetched = 5 * time.Second // time stands still while a payment waits for longer than this to be fetched
)

// world is one schedule being carried out on a broker of its own.
type world struct {
	schedule schedule
	broker   nats.InProcessConnProvider
	makers   makers
	patience time.Duration
	begun    time.Time

	hub     *bus.Bus // the shop's own connection, which is never cut
	conn    *nats.Conn
	js      jetstream.JetStream // over conn: what no worker may ask of the broker
	sandbox *sandbox.Sandbox
	server  *httptest.Server
	client  *seqr.Client
	calls   calls

	active      atomic.Int64 // when something last happened
	births      atomic.Int64
	nanos       atomic.Int64
	closing     chan struct{}
	deadWorkers sync.WaitGroup // the dead whose Run has not returned
	liveWorkers sync.WaitGroup
	steps       sync.WaitGroup // the shop's messages and the buyers
	money       sync.Mutex     // nobody pays while time jumps

	borrowing sync.Mutex
	borrowed  time.Time // when the id that several messages have was used last

	mu           sync.Mutex
	visits       map[string]int
	strokes      map[string]int    // the same by worker and boundary
	polled       map[string]int64  // when a poller last had an answer about a bill
	bills        map[string]string // that buyers were shown, by order
	unreachable  []fault
	noMoreDeaths bool // nobody dies any more
	gone, back   chan struct{}
	replaced     bool                     // the first shop's terminal
	renewed      chan struct{}            // closed when the settings change
	silent       string                   // the terminal that does not answer
	intruded     map[uint64]stranger      // what strangers wrote on INVOICES, by sequence
	seen         map[string]chan struct{} // by order and event, closed when it was recorded
	flush        chan struct{}
	trace        []string
	faults       []string // of the world itself
}

func newWorld(s schedule, b nats.InProcessConnProvider, m makers, patience time.Duration) (*world, error) {
	w := &world{
		schedule: s, broker: b, makers: m, patience: patience, begun: time.Now(), closing: make(chan struct{}), flush: make(chan struct{}),
		visits: map[string]int{}, polled: map[string]int64{}, bills: map[string]string{}, strokes: map[string]int{}, seen: map[string]chan struct{}{}, gone: make(chan struct{}),
		renewed: make(chan struct{}), intruded: map[uint64]stranger{},
	}
	for _, f := range s.Faults {
		if f.Unreachable {
			w.unreachable = append(w.unreachable, f)
		}
	}
	var err error
	w.sandbox, err = sandbox.New(sandbox.Config{ManualClock: true, Lifetime: lifetime, Seed: s.Seed, Terminals: terminals(), Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	if err := w.sandbox.SetFaults(s.sandboxFaults()); err != nil {
		return nil, err
	}
	w.server = httptest.NewServer(w.sandbox)
	w.client, err = seqr.New(seqr.Config{Endpoint: w.server.URL + "/extclientproxy/service/v2", ClientID: "Chaos AB", ClientReference: "chaos/1"})
	if err != nil {
		return nil, err
	}
	if w.conn, err = nats.Connect("", nats.InProcessServer(b)); err != nil {
		return nil, err
	}
	if w.js, err = jetstream.New(w.conn); err != nil {
		return nil, err
	}
	w.hub, err = bus.Connect(context.Background(), w.busConfig("shop", nats.InProcessServer(b)))
	w.touch()
	return w, err
}

func (w *world) busConfig(name string, options ...nats.Option) bus.Config {
	return bus.Config{
		Name: name, Options: options, Log: zerolog.Nop(), Now: w.now, AckWait: ackWait,
		Backoff: bus.Backoff{First: 5 * time.Millisecond, Most: 50 * time.Millisecond},
	}
}

// now is the provider's time, and never the same twice, as on a real clock.
func (w *world) now() time.Time { return w.sandbox.Now().Add(time.Duration(w.nanos.Add(1))) }

func (w *world) touch() { w.active.Store(int64(time.Since(w.begun))) }

// note what happened.
func (w *world) note(format string, args ...any) {
	w.touch()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%7.3f %s", time.Since(w.begun).Seconds(), fmt.Sprintf(format, args...)))
}

// fault of the world itself: something did not happen that should.
func (w *world) fault(format string, args ...any) {
	w.note(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// signal of an event of an order: closed once it was recorded.
func (w *world) signal(id string, e events.Name) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := id + " " + string(e)
	if w.seen[k] == nil {
		w.seen[k] = make(chan struct{})
	}
	return w.seen[k]
}

// live carries the schedule out to its end.
func (w *world) live(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.patience)
	defer cancel()
	defer w.watch(ctx)()
	var clock sync.WaitGroup
	clock.Go(w.runClock)
	for name, made := range w.makers {
		if made == nil {
			continue
		}
		for nth := range w.schedule.Copies {
			w.liveWorkers.Go(func() { w.keep(name, nth) })
		}
	}
	for _, o := range w.schedule.Orders {
		for _, m := range o.Messages {
			w.steps.Go(func() { w.say(ctx, o, m) })
		}
		w.steps.Go(func() { w.buy(ctx, o) })
	}
	w.disturb(ctx)
	w.end(ctx)
	cancel()
	close(w.closing)
	w.liveWorkers.Wait()
	w.steps.Wait()
	clock.Wait()
}

// disturb lets everything happen that neither a shop nor a buyer nor a worker does.
func (w *world) disturb(ctx context.Context) {
	if _, ok := w.makers[withLongMemory]; ok {
		w.rememberIDs(ctx)
	}
	for _, x := range w.schedule.Strangers {
		for _, o := range w.schedule.Orders {
			if o.ID == x.Invoice {
				w.steps.Go(func() { w.intrude(ctx, x, o) })
			}
		}
	}
	for _, l := range w.schedule.Losses {
		w.steps.Go(func() { w.lose(ctx, l) })
	}
	if x := w.schedule.Silence; x != nil {
		w.steps.Go(func() { w.hush(ctx, *x) })
	}
	if w.schedule.Replace > 0 {
		w.steps.Go(func() { w.replace(ctx) })
	}
}

// close what the world was made of, once the dead are gone too.
func (w *world) close() {
	w.deadWorkers.Wait()
	w.hub.Close()
	w.conn.Close()
	w.client.CloseIdle()
	w.server.CloseClientConnections()
	w.server.Close()
	_ = w.sandbox.Close() // it keeps nothing
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
