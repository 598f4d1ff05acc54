package natsd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"
)

const (
	// tellEvery is how often the log says what a long start is at.
	tellEvery = 5 * time.Second
	// readyTimeout is for what comes after the streams are read: opening the port.
	readyTimeout = 20 * time.Second
)

// broker is the part of the server that starts it; *server.Server implements it.
type broker interface {
	Start() // returns when all streams are read and the port is open, or when it has failed
	ReadyForConnections(time.Duration) bool
	JetStreamEnabled() bool
	Shutdown()
	WaitForShutdown()
}

type starting struct {
	log   zerolog.Logger
	data  string
	every time.Duration
}

// start waits for the broker as long as it is at work, or until ctx ends. A broker that is given up while it reads is ended
// as soon as it can be: it has changed nothing that the next start would miss.
func start(ctx context.Context, b broker, said *listener, c starting) error {
	began := time.Now()
	started := make(chan struct{})
	go func() {
		defer close(started)
		b.Start()
	}()
	tell := time.NewTicker(c.every)
	defer tell.Stop()
	for waiting := true; waiting; {
		select {
		case <-started:
			waiting = false
		case <-tell.C:
			c.log.Info().Str("folder", c.data).Str("doing", said.doing()).Float64("seconds", time.Since(began).Round(time.Second).Seconds()).
				Msg("the embedded broker is starting: it reads its streams")
		case <-ctx.Done():
			go func() {
				<-started
				b.Shutdown()
			}()
			return fmt.Errorf("embedded NATS: given up while it was starting (%s): %w", said.doing(), ctx.Err())
		}
	}
	if reason := said.failure(); reason != "" {
		return c.failed(b, reason)
	}
	if !b.ReadyForConnections(readyTimeout) {
		return c.failed(b, fmt.Sprintf("it takes no connections %s after its streams were read", readyTimeout))
	}
	if !b.JetStreamEnabled() {
		return c.failed(b, "JetStream did not start")
	}
	return nil
}

func (c starting) failed(b broker, reason string) error {
	b.Shutdown()
	b.WaitForShutdown()
	return fmt.Errorf("embedded NATS in %s: %s", c.data, reason)
}

// listener hears what the server says about its start. It passes all on to the server's own log, if it has one.
type listener struct {
	next server.Logger

	mu     sync.Mutex
	notice string
	fatal  string
}

// doing is the server's last word about the streams.
func (l *listener) doing() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notice == "" {
		return "opening the folder"
	}
	return l.notice
}

// failure is why the server can't start; "" when it has not said so.
func (l *listener) failure() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// Noticef implements server.Logger.
func (l *listener) Noticef(format string, v ...any) {
	if text := strings.TrimSpace(fmt.Sprintf(format, v...)); strings.Contains(text, "stream '") {
		l.mu.Lock()
		l.notice = text
		l.mu.Unlock()
	}
	if l.next != nil {
		l.next.Noticef(format, v...)
	}
}

// Fatalf implements server.Logger. It does not end the process: the failure is the caller's to tell.
func (l *listener) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		l.fatal = fmt.Sprintf(format, v...)
	}
}

// Warnf implements server.Logger.
func (l *listener) Warnf(format string, v ...any) {
	if l.next != nil {
		l.next.Warnf(format, v...)
	}
}

// Errorf implements server.Logger.
func (l *listener) Errorf(format string, v ...any) {
	if l.next != nil {
		l.next.Errorf(format, v...)
	}
}

// Debugf implements server.Logger.
func (l *listener) Debugf(format string, v ...any) {
	if l.next != nil {
		l.next.Debugf(format, v...)
	}
}

// Tracef implements server.Logger.
func (l *listener) Tracef(format string, v ...any) {
	if l.next != nil {
		l.next.Tracef(format, v...)
	}
}
