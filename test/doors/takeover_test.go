package doors

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/broker"
	"github.com/seqrflow/seqrflow/internal/bus"
)

// withoutAccounts leaves in the folder what a server without accounts has stored: our streams, so many orders, and a
// consumer that has acknowledged some of them.
func withoutAccounts(t *testing.T, store string, orders, acknowledged int) {
	t.Helper()
	old := run(t, &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: store, NoSigs: true, NoLog: true})
	nc, err := nats.Connect(old.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js := jetStream(t, nc)
	for _, c := range bus.Streams(1) {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	invoicer, err := js.CreateConsumer(t.Context(), "ORDERS", jetstream.ConsumerConfig{Durable: "invoicer", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	for n := range orders {
		if _, err := js.Publish(t.Context(), fmt.Sprintf("orders.acme.%d.placed", n+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := invoicer.Fetch(acknowledged)
	if err != nil {
		t.Fatal(err)
	}
	for m := range messages.Messages() {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	old.Shutdown()
	old.WaitForShutdown()
}

// A broker that had no accounts has its streams in the folder of the account $G. Moved to the folder of the account
// SEQRFLOW, while no server runs, they have every message, and their consumers go on where they were.
func TestStreamsOfABrokerWithoutAccountsAreTakenOver(t *testing.T) {
	t.Parallel()
	f := &fixture{T: t, dir: t.TempDir()}
	store := filepath.Join(f.dir, "streams")
	const orders, acknowledged = 200, 120
	withoutAccounts(t, store, orders, acknowledged)
	at := filepath.Join(store, server.JetStreamStoreDir)
	if err := os.Rename(filepath.Join(at, "$G"), filepath.Join(at, broker.StreamsAccount)); err != nil {
		t.Fatal(err)
	}
	f.write("acme")
	o, err := server.ProcessConfigFile(filepath.Join(f.dir, broker.ConfFile))
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	f.server = run(t, o)

	mine := jetStream(t, f.connect("operator"))
	for _, c := range bus.Streams(1) {
		if _, err := mine.Stream(t.Context(), c.Name); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	s, err := mine.Stream(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	if state := s.CachedInfo().State; state.Msgs != orders || state.LastSeq != orders {
		t.Errorf("ORDERS has %d messages up to %d, not %d", state.Msgs, state.LastSeq, orders)
	}
	consumer, err := jetStream(t, f.connect("invoicer")).Consumer(t.Context(), "ORDERS", "invoicer")
	if err != nil {
		t.Fatal(err)
	}
	if info := consumer.CachedInfo(); info.NumPending != orders-acknowledged || info.AckFloor.Stream != acknowledged {
		t.Errorf("the invoicer has %d orders before it and %d behind it", info.NumPending, info.AckFloor.Stream)
	}
	f.forward(func(string, int) error { return nil })
	ack, err := jetStream(t, f.connect("shop-acme")).Publish(t.Context(), "orders.acme.new.placed", nil)
	if err != nil || ack.Sequence != orders+1 {
		t.Errorf("a new order: %+v, %v", ack, err)
	}
	if _, err := os.Stat(filepath.Join(at, "$G")); err == nil {
		t.Error("the server has made the folder of $G again: the next start could not tell whose streams are older")
	}
}
