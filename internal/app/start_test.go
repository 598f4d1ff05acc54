package app

import (
	"encoding/base64"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// TestANotifierMakesTheStreamOfItsRecords, where the broker lets it, like every worker: an older version has none.
func TestANotifierMakesTheStreamOfItsRecords(t *testing.T) {
	t.Parallel()
	broker, err := natsd.Start(t.Context(), natsd.Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	b, err := bus.Connect(t.Context(), bus.Config{URL: broker.URL(), Name: "test", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	js := rig.JetStream(t, broker.URL())
	if err := js.DeleteStream(t.Context(), events.DeliveriesStream); err != nil {
		t.Fatal(err)
	}
	o := Options{Settings: settings(), Targets: []string{"notifier"}, Log: zerolog.Nop()}
	o.NATS = broker.URL()
	secret := write(t, "secret", "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	o.Connections = connections.File{Connections: map[string]connections.Connection{
		rig.Shop: {Webhooks: []connections.Webhook{{Name: "erp", URL: "https://erp.example", Secrets: []string{secret}}}}}}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := js.Stream(t.Context(), events.DeliveriesStream); err != nil {
		t.Error(err)
	}
}
