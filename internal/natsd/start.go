package natsd

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
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

// start waits for the broker as long as it is at work, or until ctx ends, and tells the log every so often what it is at. A broker that is given up while it reads is ended
// as soon as it can be: it has changed nothing that the next start would miss.
func start(ctx context.Context, b broker, said *listener, c Config, every time.Duration) error {
	began := time.Now()
	started := make(chan struct{})
	go func() {
		defer close(started)
		b.Start()
	}()
	tell := time.NewTicker(every)
	defer tell.Stop()
	for waiting := true; waiting; {
		select {
		case <-started:
			waiting = false
		case <-tell.C:
			doing, _ := said.words()
			c.Log.Info().Str("folder", c.Data).Str("doing", doing).Float64("seconds", time.Since(began).Round(time.Second).Seconds()).
				Msg("the embedded broker is starting: it reads its streams")
		case <-ctx.Done():
			go func() {
				<-started
				b.Shutdown()
			}()
			doing, _ := said.words()
			return fmt.Errorf("embedded NATS: given up while it was starting (%s): %w", doing, ctx.Err())
		}
	}
	_, failure := said.words()
	switch {
	case failure != "":
	case !b.ReadyForConnections(readyTimeout):
		failure = fmt.Sprintf("it takes no connections %s after its streams were read", readyTimeout)
	case !b.JetStreamEnabled():
		failure = "JetStream did not start"
	default:
		return nil
	}
	b.Shutdown()
	b.WaitForShutdown()
	return fmt.Errorf("embedded NATS in %s: %s", c.Data, failure)
}

// listener hears what the server says about its start. All else that the server says goes nowhere.
type listener struct {
	mu     sync.Mutex
	notice string
	fatal  string
}

// words gives the server's last word about the streams, and why it can't start, "" when it has not said so.
func (l *listener) words() (doing, failure string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.notice, "opening the folder"), l.fatal
}

// Noticef implements server.Logger.
func (l *listener) Noticef(format string, v ...any) {
	if text := strings.TrimSpace(fmt.Sprintf(format, v...)); strings.Contains(text, "stream '") {
		l.mu.Lock()
		l.notice = text
		l.mu.Unlock()
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

// The rest of server.Logger.
func (*listener) Warnf(string, ...any)  {}
func (*listener) Errorf(string, ...any) {}
func (*listener) Debugf(string, ...any) {}
func (*listener) Tracef(string, ...any) {}
