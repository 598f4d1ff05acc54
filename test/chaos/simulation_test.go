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
	"github.com/seqrflow/seqrflow/services/notifier"
)

const (
	// Real time. A message that a crashed worker leased comes again after ackWait.
	ackWait   = 500 * time.Millisecond
	pollEvery = 30 * time.Millisecond
	quiet     = ackWait + 150*time.Millisecond
	lookEvery = 100 * time.Millisecond
	patience  = 4 * time.Minute

	// The provider's time, which is also the workers'. It runs some twenty times as fast.
	validFor  = 10 * time.Minute
	lifetime  = 2 * time.Hour // after which the provider ends an unpaid invoice
	tick      = 400 * time.Millisecond
	tickEvery = 20 * time.Millisecond
	unfetched = 5 * time.Second // time stands still while a payment waits for longer than this to be fetched
)

// simulation carries out one schedule on a broker of its own.
type simulation struct {
	schedule schedule
	broker   nats.InProcessConnProvider
	makers   makers
	patience time.Duration
	begun    time.Time

	bus     *bus.Bus // the shop's own connection, which is never cut
	conn    *nats.Conn
	js      jetstream.JetStream // over conn: what no worker may ask of the broker
	sandbox *sandbox.Sandbox
	server  *httptest.Server
	client  *seqr.Client
	calls   calls
	systems *systems

	active         atomic.Int64 // when something last happened
	started        atomic.Int64
	nanos          atomic.Int64
	closing        chan struct{}
	crashedWorkers sync.WaitGroup // those whose Run has not returned
	liveWorkers    sync.WaitGroup
	steps          sync.WaitGroup // the shop's messages and the buyers
	clock          sync.Mutex     // no buyer acts while the time is moved

	reuse    sync.Mutex
	reusedAt time.Time // when the id that several messages share was used last

	mu                  sync.Mutex
	acks                map[string]int    // how many messages a worker has acknowledged
	visits              map[string]int    // how often a worker reached a boundary, by both
	interruptions       map[string]int    // how often it was interrupted there
	polled              map[string]int64  // when a poller last had an answer about an invoice, by reference
	references          map[string]string // of the invoices that buyers were shown, by order
	unreachable         []fault
	noMoreInterruptions bool
	pollersStop         chan struct{}            // closed when the pollers have to stop
	pollersStart        chan struct{}            // nil, or closed when they may start again
	replaced            bool                     // the first shop's terminal was replaced
	renewed             chan struct{}            // closed when the settings change
	silent              string                   // the terminal that does not answer
	foreign             map[uint64]foreignWrite  // what was written to INVOICES, by sequence
	seen                map[string]chan struct{} // by order and event, closed when it was recorded
	finishing           chan struct{}            // closed when what waits for an event must wait no longer
	trace               []string
	failures            []string // of the simulation itself
}

func newSimulation(s schedule, b nats.InProcessConnProvider, m makers, patience time.Duration) (*simulation, error) {
	sim := &simulation{
		schedule: s, broker: b, makers: m, patience: patience, begun: time.Now(), closing: make(chan struct{}), finishing: make(chan struct{}),
		acks: map[string]int{}, visits: map[string]int{}, polled: map[string]int64{}, references: map[string]string{}, interruptions: map[string]int{}, seen: map[string]chan struct{}{}, pollersStop: make(chan struct{}),
		renewed: make(chan struct{}), foreign: map[uint64]foreignWrite{},
	}
	for _, f := range s.Faults {
		if f.Unreachable {
			sim.unreachable = append(sim.unreachable, f)
		}
	}
	var err error
	sim.sandbox, err = sandbox.New(sandbox.Config{ManualClock: true, Lifetime: lifetime, Seed: s.Seed, Terminals: terminals(), Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	if err := sim.sandbox.SetFaults(s.sandboxFaults()); err != nil {
		return nil, err
	}
	sim.server = httptest.NewServer(sim.sandbox)
	sim.client, err = seqr.New(seqr.Config{Endpoint: sim.server.URL + "/extclientproxy/service/v2", ClientID: "Chaos AB", ClientReference: "chaos/1"})
	if err != nil {
		return nil, err
	}
	sim.systems = startSystems(s.Destinations)
	if sim.conn, err = nats.Connect("", nats.InProcessServer(b), nats.Timeout(patience)); err != nil {
		return nil, err
	}
	if sim.js, err = jetstream.New(sim.conn); err != nil {
		return nil, err
	}
	sim.bus, err = bus.Connect(context.Background(), sim.busConfig("shop", nats.InProcessServer(b)))
	sim.markActive()
	return sim, err
}

func (sim *simulation) busConfig(name string, options ...nats.Option) bus.Config {
	return bus.Config{
		Name: name, Options: options, Log: zerolog.Nop(), Now: sim.now, AckWait: ackWait,
		Backoff: bus.Backoff{First: 5 * time.Millisecond, Most: 50 * time.Millisecond},
	}
}

// now is the provider's time, and never the same twice, as on a real clock.
func (sim *simulation) now() time.Time { return sim.sandbox.Now().Add(time.Duration(sim.nanos.Add(1))) }

func (sim *simulation) markActive() { sim.active.Store(int64(time.Since(sim.begun))) }

// logf adds a line to the trace, and notes that something has happened.
func (sim *simulation) logf(format string, args ...any) {
	sim.markActive()
	sim.tracef(format, args...)
}

// tracef adds a line to the trace about something that nothing waits for.
func (sim *simulation) tracef(format string, args ...any) {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.trace = append(sim.trace, fmt.Sprintf("%7.3f %s", time.Since(sim.begun).Seconds(), fmt.Sprintf(format, args...)))
}

// failf reports a failure of the simulation itself: something did not happen that should.
func (sim *simulation) failf(format string, args ...any) {
	sim.logf(format, args...)
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.failures = append(sim.failures, fmt.Sprintf(format, args...))
}

// signal gives the channel that is closed once an event of an invoice was recorded.
func (sim *simulation) signal(id string, e events.Name) chan struct{} {
	sim.mu.Lock()
	defer sim.mu.Unlock()
	k := id + " " + string(e)
	if sim.seen[k] == nil {
		sim.seen[k] = make(chan struct{})
	}
	return sim.seen[k]
}

// run carries the schedule out to its end.
func (sim *simulation) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sim.patience)
	defer cancel()
	defer sim.followInvoices(ctx)()
	var clock sync.WaitGroup
	clock.Go(sim.runClock)
	for name, made := range sim.makers {
		if made == nil || name == notifier.Name && len(sim.schedule.Destinations) == 0 {
			continue
		}
		for nth := range sim.schedule.Copies {
			sim.liveWorkers.Go(func() { sim.keepRunning(name, nth) })
		}
	}
	for _, o := range sim.schedule.Orders {
		for _, m := range o.Messages {
			sim.steps.Go(func() { sim.publish(ctx, o, m) })
		}
		sim.steps.Go(func() { sim.buy(ctx, o) })
	}
	sim.startDisturbances(ctx)
	sim.finish(ctx)
	cancel()
	close(sim.closing)
	sim.liveWorkers.Wait()
	sim.steps.Wait()
	clock.Wait()
}

// startDisturbances starts what neither a shop nor a buyer nor a worker does.
func (sim *simulation) startDisturbances(ctx context.Context) {
	if _, ok := sim.makers[withLongMemory]; ok {
		sim.keepIDsLong(ctx)
	}
	for _, x := range sim.schedule.ForeignWrites {
		for _, o := range sim.schedule.Orders {
			if o.ID == x.Invoice {
				sim.steps.Go(func() { sim.writeForeign(ctx, x, o) })
			}
		}
	}
	for _, l := range sim.schedule.Losses {
		sim.steps.Go(func() { sim.loseConsumer(ctx, l) })
	}
	if x := sim.schedule.Silence; x != nil {
		sim.steps.Go(func() { sim.silenceTerminal(ctx, *x) })
	}
	for _, x := range sim.schedule.Destinations {
		if x.Trouble != nil {
			sim.steps.Go(func() { sim.troubleDestination(ctx, x.Shop, *x.Trouble) })
		}
	}
	if sim.schedule.Replace > 0 {
		sim.steps.Go(func() { sim.replaceTerminal(ctx) })
	}
}

// close ends everything, once the crashed workers have returned too.
func (sim *simulation) close() {
	sim.crashedWorkers.Wait()
	sim.bus.Close()
	sim.conn.Close()
	sim.client.CloseIdle()
	sim.server.CloseClientConnections()
	sim.server.Close()
	_ = sim.sandbox.Close() // it keeps nothing
	sim.systems.close()
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
