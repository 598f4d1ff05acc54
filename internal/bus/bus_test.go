package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/pkg/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for a signal before it fails. Nothing ever takes that long, also on a slow machine.
const patience = 2 * time.Minute

func newBus(t testing.TB) *bus.Bus { return newBusWith(t, 0) }

// newBusWith gives a bus whose consumers wait so long for an acknowledgement; 0 is the default.
func newBusWith(t testing.TB, ackWait time.Duration) *bus.Bus {
	t.Helper()
	s, err := natsd.Start(t.Context(), natsd.Config{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", AckWait: ackWait, Options: []nats.Option{s.InProcess()}, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func fact(why string) events.Fact { return events.Fact{At: time.Unix(1700000000, 0), Why: why} }

func issue(shop, id string) bus.Decide {
	return func(inv events.Invoice) (events.Invoice, error) {
		if inv.State != "" {
			return inv, bus.ErrNothing
		}
		total, _ := events.ParseAmount("10")
		o := events.Order{Shop: shop, OrderID: id, Currency: "SEK", Total: total}
		return inv.IssuedAs(o, events.ProviderInvoice{Reference: "r-" + id, ValidFor: time.Minute}, fact("test"))
	}
}

func TestAppendedInvoiceIsLoadedAgain(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	k := events.KeyOf("acme", "order 1.2")
	if l, err := b.Load(t.Context(), k); err != nil || l.Seq != 0 {
		t.Fatalf("an invoice of which nothing is recorded: %+v, %v", l, err)
	}
	if _, err := b.Update(t.Context(), "invoicer", k, issue("acme", "order 1.2")); err != nil {
		t.Fatal(err)
	}
	l, err := b.Load(t.Context(), k)
	if err != nil || l.State != events.Issued || l.InvoiceReference != "r-order 1.2" || l.Seq != 1 {
		t.Fatalf("loaded %+v, %v", l, err)
	}
}

func TestOnlyOneOfManyWritersRecordsTheEvent(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	k := events.KeyOf("acme", "1")
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() { _, errs[i] = b.Update(t.Context(), "invoicer", k, issue("acme", "1")) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if l, err := b.Load(t.Context(), k); err != nil || l.Seq != 1 {
		t.Fatalf("after 16 writers the last sequence is %d (%v), expected one event", l.Seq, err)
	}
}

func consumer(name string) bus.Consumer {
	return bus.Consumer{Worker: name, Name: name, Stream: events.OrdersStream, Filters: []string{events.OrdersSubjects},
		Attempts: 3, Backoff: bus.Backoff{First: time.Millisecond, Most: 5 * time.Millisecond}}
}

// work runs a consumer until the test ends.
func work(t *testing.T, b *bus.Bus, c bus.Consumer, h bus.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Work(ctx, c, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestFailingDeliveryIsParkedAfterItsAttemptsAndReplayed(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	var mu sync.Mutex
	mended, calls := false, 0
	handled := make(chan bus.Delivery, 1)
	work(t, b, consumer("invoicer"), func(_ context.Context, d bus.Delivery) bus.Outcome {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if !mended {
			return bus.Retry(errors.New("total: missing"))
		}
		handled <- d
		return bus.Done
	})
	parked, stop := subscribe(t, b, "parked.>")
	defer stop()
	if err := b.PublishRaw(t.Context(), "orders.acme.7.placed", "", []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	m := <-parked
	p, event, err := events.DecodeParked(m.Data)
	if err != nil || event != events.ParkedParked || p.Attempts != 3 || p.Reason != "total: missing" || p.Subject != "orders.acme.7.placed" || p.Sequence != 1 || p.Original != `{"x":1}` {
		t.Fatalf("parked %+v (%v)", p, err)
	}
	if m.Subject != "parked.invoicer.acme.7" {
		t.Fatalf("parked on %s", m.Subject)
	}
	mu.Lock()
	if calls != 3 {
		t.Errorf("handled %d times before parking, expected 3", calls)
	}
	mended = true
	mu.Unlock()
	if err := b.Replay(t.Context(), bus.ParkedMessage{On: m.Subject, Parked: p, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if d := <-handled; string(d.Body) != `{"x":1}` || d.Subject != "orders.acme.7.placed" || !d.Replayed {
		t.Fatalf("replayed %+v", d)
	}
}

func TestSnoozedDeliveryComesAgainAndIsNeverParked(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	n, done := 0, make(chan struct{})
	work(t, b, consumer("refunder"), func(context.Context, bus.Delivery) bus.Outcome {
		if n++; n < 10 {
			return bus.SnoozeFor(time.Millisecond, errors.New("not paid yet"))
		}
		close(done)
		return bus.Done
	})
	if err := b.PublishRaw(t.Context(), "orders.acme.7.returned", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	<-done
	s, err := b.JetStream().Stream(t.Context(), events.ParkedStream)
	if err != nil {
		t.Fatal(err)
	}
	if s.CachedInfo().State.Msgs != 0 {
		t.Fatal("a held delivery was parked")
	}
}

func TestStoppingGivesBackWhatIsNotStarted(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	for i := range 5 {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("orders.acme.%d.placed", i), "", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	c := consumer("invoicer")
	c.Concurrency = 1
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan struct{}), make(chan error, 1)
	first := 0
	go func() {
		ended <- b.Work(ctx, c, func(context.Context, bus.Delivery) bus.Outcome {
			if first++; first == 1 {
				close(started)
				<-ctx.Done()
			}
			return bus.Done
		})
	}()
	<-started
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	rest := make(chan uint64, 8)
	work(t, b, c, func(_ context.Context, d bus.Delivery) bus.Outcome { rest <- d.Seq; return bus.Done })
	for range 5 - first {
		<-rest
	}
}

func subscribe(t *testing.T, b *bus.Bus, subject string) (<-chan *nats.Msg, func()) {
	t.Helper()
	ch := make(chan *nats.Msg, 64)
	sub, err := b.Conn().ChanSubscribe(subject, ch)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	return ch, func() { _ = sub.Unsubscribe() }
}

// stored gives the messages of a stream one after another, each when it is stored.
func stored(t *testing.T, b *bus.Bus, stream string) func() bus.Entry {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	t.Cleanup(func() { cancel(); following.Wait() })
	entries := make(chan bus.Entry)
	following.Go(func() {
		if err := b.Follow(ctx, []bus.Source{{Stream: stream, All: true}}, nil, func(e bus.Entry) error {
			select {
			case entries <- e:
			case <-ctx.Done():
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	return func() bus.Entry { return <-entries }
}

// BenchmarkUpdate is one event of one invoice: load, append expecting the sequence, fsync.
func BenchmarkUpdate(b *testing.B) {
	bs := newBus(b)
	b.SetParallelism(32)
	var n counter
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := fmt.Sprint(n.next())
			if _, err := bs.Update(context.Background(), "invoicer", events.KeyOf("acme", id), issue("acme", id)); err != nil {
				b.Error(err)
			}
		}
	})
}

type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) next() int { c.mu.Lock(); defer c.mu.Unlock(); c.n++; return c.n }

func TestWhatTheBrokerGaveUpOnIsParked(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	c := consumer("invoicer")
	terminated := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	first := true
	go func() {
		ended <- b.Work(ctx, c, func(_ context.Context, d bus.Delivery) bus.Outcome {
			if first {
				first = false
				close(terminated)
			}
			return bus.SnoozeFor(time.Hour, errors.New("waiting"))
		})
	}()
	defer func() { cancel(); <-ended }()
	parked, stop := subscribe(t, b, "parked.>")
	defer stop()
	if err := b.PublishRaw(t.Context(), "orders.acme.7.placed", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	<-terminated
	// A message that is removed is not parked, though the leader of its stream may have it for a moment; the last reason is what a person's
	// Term makes the broker say.
	for _, reason := range []string{"Unacknowledged message was deleted", "Message deleted by stream limits", "by hand"} {
		advisory := fmt.Sprintf(`{"stream":"ORDERS","consumer":"invoicer","stream_seq":1,"deliveries":4,"reason":%q}`, reason)
		if err := b.Conn().Publish("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.ORDERS.invoicer", []byte(advisory)); err != nil {
			t.Fatal(err)
		}
	}
	p, _, err := events.DecodeParked((<-parked).Data)
	if err != nil || p.Sequence != 1 || p.Attempts != 4 || p.Reason != "the broker gave up after 4 deliveries: by hand" {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestParkedGaugeCountsWhatIsNotReplayed(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	work(t, b, consumer("invoicer"), func(context.Context, bus.Delivery) bus.Outcome { return bus.Park(errors.New("no")) })
	next := stored(t, b, events.ParkedStream)
	g := bus.NewParkedGauge(b)
	reg := prometheus.NewRegistry()
	reg.MustRegister(g)
	expect := func(want float64) {
		t.Helper()
		families, err := reg.Gather()
		if err != nil || len(families) != 2 {
			t.Fatalf("%v, %v", families, err)
		}
		if got := families[1].GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("%s is %v; want %v", families[1].GetName(), got, want)
		}
	}
	expect(0)
	for i := range 3 {
		if err := b.PublishRaw(t.Context(), fmt.Sprintf("orders.acme.%d.placed", i), "", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	var last bus.Entry
	for range 3 {
		last = next()
	}
	expect(3)
	p, _, err := events.DecodeParked(last.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Replay(t.Context(), bus.ParkedMessage{On: last.Subject, Parked: p, Seq: 3}); err != nil {
		t.Fatal(err)
	}
	next() // the wish
	next() // parked again
	expect(3)
}
