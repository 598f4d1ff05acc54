package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// JetStream sends its acknowledgement to whatever subject a publisher names, also one of INVOICES.
func TestForeignMessageAmongAnInvoicesEventsIsPassedOver(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	k := events.KeyOf("acme", "1001")
	if _, err := b.Update(t.Context(), "invoicer", k, issue("acme", "1001")); err != nil {
		t.Fatal(err)
	}
	parked, stop := subscribe(t, b, "parked.>")
	defer stop()
	last := stored(t, b, events.InvoicesStream)
	last()
	m := &nats.Msg{Subject: "orders.evil.1.placed", Reply: "invoices.acme.1001.paid", Data: []byte(`{}`)}
	if err := b.Conn().PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	if foreign := last(); foreign.Subject != "invoices.acme.1001.paid" {
		t.Fatalf("the acknowledgement was stored on %s", foreign.Subject)
	}
	for range 2 {
		l, err := b.Load(t.Context(), k)
		if err != nil || l.State != events.Issued || l.Seq != 2 {
			t.Fatalf("loaded %+v at %d: %v", l.State, l.Seq, err)
		}
	}
	p, _, err := events.DecodeParked((<-parked).Data)
	if err != nil || p.Sequence != 2 || p.Stream != events.InvoicesStream {
		t.Fatalf("parked %+v (%v)", p, err)
	}
	inv, err := b.Update(t.Context(), "poller", k, func(i events.Invoice) (events.Invoice, error) {
		return i.PaidWith("ers-1", "poller", fact("paid"))
	})
	if err != nil || inv.State != events.Paid {
		t.Fatalf("paid after a foreign message: %s, %v", inv.State, err)
	}
	if len(parked) > 0 {
		t.Error("the foreign message was parked more than once")
	}
}

func TestMessageIDThatIsTakenHidesNoMessage(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	if err := b.PublishRaw(t.Context(), "periods.evil.1.closing", "stolen", []byte(`{"x":1}`)); err != nil {
		t.Fatal(err)
	}
	if err := b.PublishRaw(t.Context(), "periods.acme.1.closing", "stolen", []byte(`{"x":2}`)); !errors.Is(err, bus.ErrIDTaken) {
		t.Errorf("a message that the broker took for a duplicate of another: %v", err)
	}
	if err := b.PublishRaw(t.Context(), "periods.evil.1.closing", "stolen", []byte(`{"x":1}`)); err != nil {
		t.Errorf("the same message again: %v", err)
	}
}

// What one shop writes as a message id takes no order of another shop out of the stream.
func TestOrdersMessageIDsAreForgottenAtOnce(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	publish := func(subject string) bool {
		m := &nats.Msg{Subject: subject, Data: []byte(`{}`), Header: nats.Header{nats.MsgIdHdr: {"1001"}}}
		ack, err := b.JetStream().PublishMsg(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Duplicate
	}
	publish("orders.a.1001.placed")
	for begun := time.Now(); publish("orders.b.1001.placed"); {
		if time.Since(begun) > 30*time.Second { // the broker's own setting is 2 minutes
			t.Fatal("the order is a duplicate to the broker after 30 s")
		}
	}
}

func TestOperatorsLimitsSurviveAStart(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	s, err := b.JetStream().Stream(t.Context(), events.OrdersStream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxBytes, cfg.MaxMsgSize, cfg.Description, cfg.Duplicates = 1<<30, 1<<20, "ours", time.Minute
	if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err = b.JetStream().Stream(t.Context(), events.OrdersStream); err != nil {
		t.Fatal(err)
	}
	got := s.CachedInfo().Config
	if got.MaxBytes != 1<<30 || got.MaxMsgSize != 1<<20 || got.Description != "ours" {
		t.Errorf("an operator's settings after a start: %+v", got)
	}
	if got.Duplicates != 100*time.Millisecond {
		t.Errorf("duplicates: %s: which messages the stream takes is ours", got.Duplicates)
	}
}

// A consumer that is made on a stream with history takes nothing that is old, and nothing that a person has settled.
func TestNewConsumerRepeatsNoHistory(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	parkAndRemoveConsumer(t, b)
	handled := make(chan string, 8)
	work(t, b, consumer("refunder"), func(_ context.Context, d bus.Delivery) bus.Outcome { handled <- d.Subject; return bus.Done })
	var cons jetstream.Consumer
	for begun := time.Now(); cons == nil; {
		var err error
		if cons, err = b.JetStream().Consumer(t.Context(), events.OrdersStream, "refunder"); err != nil && time.Since(begun) > patience {
			t.Fatal(err)
		}
	}
	if err := b.PublishRaw(t.Context(), "orders.acme.8.returned", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if got := <-handled; got != "orders.acme.8.returned" {
		t.Errorf("the new consumer handled %s, which a person has in hand", got)
	}
	from := cons.CachedInfo().Config.OptStartTime
	if from == nil || time.Since(*from) < 59*time.Minute || time.Since(*from) > 61*time.Minute {
		t.Errorf("the new consumer begins at %v, expected an hour ago", from)
	}
}

// parkAndRemoveConsumer has the refunder park the message of order 7, and then removes its consumer from the broker.
func parkAndRemoveConsumer(t *testing.T, b *bus.Bus) {
	t.Helper()
	parked, stop := subscribe(t, b, "parked.>")
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- b.Work(ctx, consumer("refunder"), func(_ context.Context, d bus.Delivery) bus.Outcome {
			return bus.Park(errors.New("amount: expected at most 2 digits"))
		})
	}()
	if err := b.PublishRaw(t.Context(), "orders.acme.7.returned", "", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	<-parked
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := b.JetStream().DeleteConsumer(t.Context(), events.OrdersStream, "refunder"); err != nil {
		t.Fatal(err)
	}
}

func TestRoomIsKeptForWhatIsOpen(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	if err := b.Room(t.Context(), 1000); err != nil {
		t.Fatalf("on an empty broker: %v", err)
	}
	if err := b.Room(t.Context(), 5<<20); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("an event over max_payload: %v", err)
	}
	limited := newBus(t)
	s, err := limited.JetStream().Stream(t.Context(), events.InvoicesStream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = 100
	if _, err := limited.JetStream().UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for i := range 95 {
		if _, err := limited.Update(t.Context(), "invoicer", events.KeyOf("acme", fmt.Sprint(i)), issue("acme", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := limited.Room(t.Context(), 1000); !errors.Is(err, bus.ErrNoRoom) || !strings.Contains(err.Error(), "INVOICES") {
		t.Errorf("with 95 of 100 messages: %v", err)
	}
	_, err = limited.Update(t.Context(), "poller", events.KeyOf("acme", "1"), func(i events.Invoice) (events.Invoice, error) {
		return i.PaidWith("ers-1", "poller", fact("paid"))
	})
	if err != nil {
		t.Errorf("an event of an open invoice: %v", err)
	}
}

func TestIndexOfOpenInvoices(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	k := events.KeyOf("acme", "1")
	if e, mine, err := b.IndexOpen(t.Context(), k, 7); err != nil || !mine || e.Order != 7 {
		t.Fatalf("first: %+v %t %v", e, mine, err)
	}
	if e, mine, err := b.IndexOpen(t.Context(), k, 7); err != nil || !mine || e.Order != 7 {
		t.Fatalf("the same message again: %+v %t %v", e, mine, err)
	}
	if e, mine, err := b.IndexOpen(t.Context(), k, 8); err != nil || mine || e.Order != 7 || e.At.IsZero() {
		t.Fatalf("another message: %+v %t %v", e, mine, err)
	}
	if n, err := b.OpenCount(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d open (%v)", n, err)
	}
}

// Invoices that are older than the index are put on it when it is made.
func TestIndexIsBuiltFromHistory(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	for i := range 20 {
		id := fmt.Sprint(i)
		k := events.KeyOf("acme", id)
		if _, err := b.Update(t.Context(), "invoicer", k, issue("acme", id)); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			continue
		}
		if _, err := b.Update(t.Context(), "poller", k, func(i events.Invoice) (events.Invoice, error) {
			return i.EndedBy(events.EventCanceled, "poller", fact("canceled"))
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.JetStream().DeleteStream(t.Context(), events.OpenStream); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.EnsureStreams(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := b.OpenCount(t.Context()); err != nil || n != 4 {
			t.Fatalf("%d on the index, expected the 4 open invoices (%v)", n, err)
		}
	}
}

func TestRestoreIsNoticedAndMarked(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	if at, err := b.RestoredAt(t.Context()); err != nil || !at.IsZero() {
		t.Fatalf("a broker that was never restored: %s, %v", at, err)
	}
	other := newBus(t)
	marked, err := other.MarkRestored(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at, err := other.RestoredAt(t.Context()); err != nil || !at.Equal(marked) {
		t.Errorf("restored at %s, marked %s (%v)", at, marked, err)
	}
}

func TestMessagesOfAnOrderAreFoundHoweverMany(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	for n := range 4 {
		all, err := b.OrderMessages(t.Context(), "acme", "1", events.Placed)
		if err != nil || len(all) != n {
			t.Fatalf("%d messages (%v), expected %d", len(all), err, n)
		}
		for i, m := range all {
			if string(m.Body) != fmt.Sprint(i) {
				t.Errorf("message %d is %s", i, m.Body)
			}
		}
		for _, subject := range []string{"orders.acme.2.placed", "orders.acme.1.placed", "orders.acme.1.canceled"} {
			if err := b.PublishRaw(t.Context(), subject, "", []byte(fmt.Sprint(n))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestStreamThatWentBackCountsAsRestored(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	if _, err := b.Update(t.Context(), "invoicer", events.KeyOf("acme", "1"), issue("acme", "1")); err != nil {
		t.Fatal(err)
	}
	if err := b.JetStream().DeleteStream(t.Context(), events.InvoicesStream); err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureStreams(t.Context()); err != nil { // as after a restore of an older copy
		t.Fatal(err)
	}
	if at, err := b.RestoredAt(t.Context()); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("restored at %s (%v), expected now", at, err)
	}
}

// A restored stream that others have written on since has as many messages as this process has seen, but not the same.
func TestRestoredStreamThatWasWrittenOnIsNoticed(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]int{"as far as before": 2, "further": 5} {
		t.Run(name, func(t *testing.T) {
			writer, b, _ := copies(t, 0)
			write := func(n int) {
				for i := range n {
					if _, err := writer.Update(t.Context(), "invoicer", events.KeyOf("acme", fmt.Sprint(i)), issue("acme", fmt.Sprint(i))); err != nil {
						t.Fatal(err)
					}
				}
			}
			write(2)
			if at, err := b.RestoredAt(t.Context()); err != nil || !at.IsZero() {
				t.Fatalf("restored at %s, %v", at, err)
			}
			write(3)
			if at, err := b.RestoredAt(t.Context()); err != nil || !at.IsZero() {
				t.Fatalf("a stream that was written on counts as restored at %s, %v", at, err)
			}
			if err := writer.JetStream().DeleteStream(t.Context(), events.InvoicesStream); err != nil {
				t.Fatal(err)
			}
			if err := writer.EnsureStreams(t.Context()); err != nil {
				t.Fatal(err)
			}
			write(more + 1)
			if at, err := b.RestoredAt(t.Context()); err != nil || at.IsZero() {
				t.Errorf("restored at %s (%v), expected now", at, err)
			}
		})
	}
}

// A limit counts to the message, however small it is, and the size of each event is looked at, also right after another.
func TestSmallLimitsAndEachSizeCount(t *testing.T) {
	t.Parallel()
	b := newBus(t)
	limit := func(messages int64, size int32) {
		s, err := b.JetStream().Stream(t.Context(), events.InvoicesStream)
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.CachedInfo().Config
		cfg.MaxMsgs, cfg.MaxMsgSize = messages, size
		if _, err := b.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	limit(50, 20_000)
	if err := b.Room(t.Context(), 1000); err != nil {
		t.Errorf("with 0 of 50 messages: %v", err)
	}
	if err := b.Room(t.Context(), 30_000); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("30,000 bytes of 20,000, a moment after a smaller one: %v", err)
	}
	if err := b.RoomForOutcome(t.Context(), 30_000); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("an outcome of 30,000 bytes of 20,000: %v", err)
	}
	limit(2, -1)
	if err := b.RoomForOutcome(t.Context(), 1000); err != nil {
		t.Errorf("an intent and an outcome that are the last messages to fit: %v", err)
	}
	if _, err := b.Update(t.Context(), "invoicer", events.KeyOf("acme", "1"), issue("acme", "1")); err != nil {
		t.Fatal(err)
	}
	if err := b.RoomForOutcome(t.Context(), 1000); !errors.Is(err, bus.ErrNoRoom) {
		t.Errorf("an outcome for which there is no room: %v", err)
	}
}
