package cli_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/natsd"
)

// brokerWithStreams is a broker that has the streams and nothing in them.
func brokerWithStreams(t *testing.T) (*natsd.Server, *bus.Bus) {
	t.Helper()
	broker, err := natsd.Start(t.Context(), natsd.Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{broker.InProcess()}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return broker, b
}
