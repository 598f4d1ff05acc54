package natsd

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// reader is a broker that reads its streams until it is told that it is done; no port has anything to do with it.
type reader struct {
	said  *listener
	read  chan struct{}
	fails string
	ended chan struct{}
}

func newReader() *reader {
	return &reader{said: &listener{}, read: make(chan struct{}), ended: make(chan struct{})}
}

func (r *reader) Start() {
	r.said.Noticef("  Starting restore for stream '%s > %s'", "$G", "INVOICES")
	<-r.read
	if r.fails != "" {
		r.said.Fatalf("Can't start JetStream: %v", r.fails)
	}
}

func (r *reader) ReadyForConnections(time.Duration) bool { return r.fails == "" }
func (r *reader) JetStreamEnabled() bool                 { return r.fails == "" }
func (r *reader) Shutdown()                              { close(r.ended) }
func (r *reader) WaitForShutdown()                       {}

// lines is a log whose lines can be waited for.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(bytes.TrimSpace(p))
	return len(p), nil
}

func TestStartWaitsForABrokerThatReadsAndSaysSo(t *testing.T) {
	r, log := newReader(), make(lines)
	ended := make(chan error, 1)
	go func() {
		ended <- start(t.Context(), r, r.said, Config{Log: zerolog.New(log), Data: "folder"}, time.Millisecond)
	}()
	for range 3 {
		if line := <-log; !strings.Contains(line, "INVOICES") || !strings.Contains(line, `"folder":"folder"`) || strings.Contains(line, "port") {
			t.Errorf("the log says %s", line)
		}
	}
	close(r.read)
	for {
		select {
		case <-log: // one that was on its way
			continue
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		}
		break
	}
}

func TestStartEndsWithItsContextWhileTheBrokerReads(t *testing.T) {
	r := newReader()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := start(ctx, r, r.said, Config{Log: zerolog.Nop()}, time.Hour)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	close(r.read)
	<-r.ended // the broker is not left running
}

func TestStartTellsTheBrokersOwnReason(t *testing.T) {
	r := newReader()
	r.fails = "the disk is gone"
	close(r.read)
	err := start(t.Context(), r, r.said, Config{Log: zerolog.Nop()}, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("it ends with %v", err)
	}
}

// The port is free, and nothing is said of it.
func TestStartNamesAFolderThatCannotBeUsed(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "nats"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Data: data})
	if err == nil || !strings.Contains(err.Error(), data+": Can't start JetStream") || strings.Contains(err.Error(), "free?") {
		t.Errorf("it ends with %v", err)
	}
}

func TestStartTellsATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Start(t.Context(), Config{Listen: l.Addr().String(), Data: t.TempDir()}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("it ends with %v", err)
	}
}

func contains(line string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}
