package bus_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// A broker that refuses a worker's user after a reload, and takes it again after the next, finds the worker still trying.
func TestConnectionOutlivesARefusalOfItsUser(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "nats.conf")
	password := func(p string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("listen: 127.0.0.1:-1\nauthorization { user: worker, password: "+p+" }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	password("right")
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.NoLog, o.NoSigs = true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the broker does not start")
	}
	refusals := make(chan error, 64)
	closed := make(chan struct{})
	b, err := bus.Connect(t.Context(), bus.Config{URL: s.ClientURL(), Name: "worker", Log: zerolog.Nop(), Options: []nats.Option{
		nats.UserInfo("worker", "right"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refusals <- err }),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); <-closed })

	password("wrong")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	for refused := 0; refused < 4; { // after two, a client of the library's own settings gives up
		select {
		case err := <-refusals:
			if errors.Is(err, nats.ErrAuthorization) {
				refused++
			}
		case <-closed:
			t.Fatalf("the connection was given up after %d refusals", refused)
		}
	}
	connected := b.Conn().StatusChanged(nats.CONNECTED)
	password("right")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-connected:
	case <-closed:
		t.Fatal("the connection was given up")
	}
}
