package bus_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// serve runs a server of which a test changes the settings.
func serve(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.NoSigs, o.NoLog, o.DontListen, o.StoreDir = true, true, true, t.TempDir()
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func connect(t *testing.T, s *server.Server, log *lines, reg prometheus.Registerer) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{nats.InProcessServer(s)}, Log: zerolog.New(log).Level(zerolog.InfoLevel), Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// readiness waits until Ready says what the test wants.
func readiness(t *testing.T, b *bus.Bus, c bus.Consumer, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	missing := rig.Until(ctx, func(ctx context.Context) string {
		err := b.Ready(ctx, c.Worker, []bus.Consumer{c})
		if want == "" && err == nil || want != "" && err != nil && strings.Contains(err.Error(), want) {
			return ""
		}
		return fmt.Sprintf("ready: %v, want %q", err, want)
	})
	if missing != "" {
		t.Fatal(missing)
	}
}

// A process is ready only while its work can be done.
func TestReadyOnlyWhileTheWorkCanBeDone(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{JetStream: true})
	b := connect(t, s, &lines{}, nil)
	c := consumer("invoicer")
	readiness(t, b, c, "stream INVOICES: no worker has run on this broker yet")
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	readiness(t, b, c, "consumer invoicer: this process does not receive its messages")
	work(t, b, c, func(context.Context, bus.Delivery) bus.Outcome { return bus.Done })
	readiness(t, b, c, "")
	if err := s.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	readiness(t, b, c, "stream INVOICES: the broker ")
	b.Close()
	readiness(t, b, c, "broker: CLOSED")
}

// When the broker's storage is full this is told, and after there is room again it is told too, whether or not something
// has to be written.
func TestFullStorageIsToldUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	s := serve(t, server.Options{JetStream: true})
	reg := prometheus.NewRegistry()
	b := connect(t, s, &lines{}, reg)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := consumer("invoicer")
	work(t, b, c, func(context.Context, bus.Delivery) bus.Outcome { return bus.Done })
	readiness(t, b, c, "")
	limit := func(bytes int64) {
		if err := s.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
			MaxMemory: -1, MaxStore: bytes, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
		}}); err != nil {
			t.Fatal(err)
		}
	}
	limit(100 << 10)
	var err error
	for range 200 {
		if err = b.PublishRaw(t.Context(), "orders.acme.1.placed", "", make([]byte, 4<<10)); err != nil {
			break
		}
	}
	if !bus.IsNoRoom(err) {
		t.Fatalf("a full broker: %v", err)
	}
	readiness(t, b, c, "the broker refuses what is written")
	if n := samples(t, reg, "seqrflow_broker_refuses_writes")[""]; n != 1 {
		t.Errorf("the gauge is %v", n)
	}
	if err := b.TryWrite(t.Context(), "operator"); !bus.IsNoRoom(err) {
		t.Errorf("a write that is only tried: %v", err)
	}
	// A refusal counts for a second; after that the limits are looked at.
	looks, err := b.Conn().SubscribeSync("$JS.API.INFO")
	if err != nil {
		t.Fatal(err)
	}
	for looked := 0; looked == 0; {
		readiness(t, b, c, "the broker refuses what is written")
		if looked, _, err = looks.Pending(); err != nil {
			t.Fatal(err)
		}
	}
	limit(-1)
	readiness(t, b, c, "")
	if n := samples(t, reg, "seqrflow_broker_refuses_writes")[""]; n != 0 {
		t.Errorf("the gauge is %v after there is room", n)
	}
	if err := b.TryWrite(t.Context(), "operator"); err != nil {
		t.Error(err)
	}
}

// A start says what it waits for, and gives up with a reason that says how to mend it.
func TestStartNamesWhatItLacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options server.Options
		start   func(context.Context, *bus.Bus) error
		want    []string
	}{
		"no JetStream, streams to be made": {server.Options{}, func(ctx context.Context, b *bus.Bus) error { return b.EnsureStreams(ctx) }, []string{"stream ORDERS", "the broker has no JetStream; start it with -js"}},
		"no JetStream, consumers to be made": {server.Options{}, func(ctx context.Context, b *bus.Bus) error {
			return b.EnsureConsumers(ctx, []bus.Consumer{consumer("invoicer")})
		}, []string{"consumer invoicer of ORDERS", "start it with -js"}},
		"no JetStream, streams to be found": {server.Options{}, func(ctx context.Context, b *bus.Bus) error {
			return b.Require(ctx, []bus.Consumer{consumer("invoicer")})
		}, []string{"stream INVOICES", "start it with -js"}},
		"consumers without streams": {server.Options{JetStream: true}, func(ctx context.Context, b *bus.Bus) error {
			return b.EnsureConsumers(ctx, []bus.Consumer{consumer("invoicer")})
		}, []string{"no worker has run on this broker yet"}},
		"the streams of an account are many ": {server.Options{JetStream: true, JetStreamLimits: server.JSLimitOpts{}}, tooMany, []string{"stream HOOKS", "maximum number of streams reached"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := serve(t, c.options), &lines{}
			b := connect(t, s, log, nil)
			if c.options.JetStream && strings.Contains(name, "many") {
				if err := s.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
					MaxMemory: -1, MaxStore: -1, MaxStreams: 4, MaxConsumers: -1, MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
				}}); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := c.start(ctx, b)
			if ctx.Err() != nil || err == nil {
				t.Fatalf("%v, %v", err, ctx.Err())
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
			if !c.options.JetStream && log.with("waiting for the broker") != 1 {
				t.Errorf("%d lines say what is waited for", log.with("waiting for the broker"))
			}
		})
	}
}

func tooMany(ctx context.Context, b *bus.Bus) error { return b.EnsureStreams(ctx) }

// What is asked and not answered is told while it is waited for.
func TestSilentBrokerIsToldWhileItIsWaitedFor(t *testing.T) {
	t.Parallel()
	s, log := serve(t, server.Options{}), &lines{}
	silent, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(silent.Close)
	heard := make(chan struct{}, 64)
	if _, err := silent.Subscribe("$JS.API.>", func(*nats.Msg) { heard <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := silent.Flush(); err != nil {
		t.Fatal(err)
	}
	b := connect(t, s, log, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.EnsureStreams(ctx) }()
	<-heard
	log.wait(t, "waiting for the broker: stream "+events.OrdersStream)
	if log.with("no answer yet") != 1 {
		t.Error("it is not said that there is no answer")
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}
