package natsd

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// noFileBeyond has every write fail that makes a file larger than that, until the function is called: what a full disk does to a
// server, for this process alone.
func noFileBeyond(t *testing.T, size uint64) (room func()) {
	t.Helper()
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	room = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
		signal.Stop(ignored)
	}
	t.Cleanup(room)
	return room
}

// A stream that the server could not write to takes messages again once there is room, with all that it had acknowledged.
func TestServerGoesOnWhenTheDiskHasRoomAgain(t *testing.T) {
	log := make(lines, 100)
	n, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Data: t.TempDir(), Log: zerolog.New(log).Level(zerolog.WarnLevel)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	nc, err := nats.Connect(n.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	publish := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := js.Publish(ctx, "s", make([]byte, 1<<20))
		return err
	}
	if err := publish(); err != nil {
		t.Fatal(err)
	}

	room := noFileBeyond(t, 4<<20)
	stored := uint64(1)
	for len(log) == 0 { // one publish that is not acknowledged in time says nothing on a slow machine
		if publish() == nil {
			stored++
		}
	}
	if line := <-log; !contains(line, "write error", "MiB do not fit") {
		t.Errorf("the log says %s", line)
	}
	room()
	for {
		line := <-log
		if contains(line, "starts again", "has room now") {
			break
		}
	}
	for publish() != nil {
	}
	stored++
	info, err := s.Info(t.Context())
	if err != nil || info.State.Msgs < stored {
		t.Errorf("%d messages are there, %d were acknowledged (%v)", info.State.Msgs, stored, err)
	}
}
