package chaos

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

var errCut = errors.New("the connection was cut")

// line is one incarnation's way to the broker. It watches what is written, and can be cut between any
// two operations, or after one of them whose answer is then never read.
type line struct {
	broker nats.InProcessConnProvider
	meet   func(boundary) (strike func()) // nil where nothing happens
	spoil  func(operation []byte)         // a saboteur's; nil leaves everything as it is

	mu   sync.Mutex
	down bool
	open []*wire
}

// InProcessConn implements nats.InProcessConnProvider.
func (l *line) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errCut
	}
	c, err := l.broker.InProcessConn()
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, line: l}
	l.open = append(l.open, w)
	return w, nil
}

// cut all connections. Nothing written before and not yet read by the broker gets there, and no answer
// under way arrives.
func (l *line) cut() {
	l.mu.Lock()
	l.down = true
	open := l.open
	l.open = nil
	l.mu.Unlock()
	for _, w := range open {
		w.sever()
	}
}

// mend lets new connections be made.
func (l *line) mend() {
	l.mu.Lock()
	l.down = false
	l.mu.Unlock()
}

// wire is one connection of a line. It passes on whole operations of the NATS protocol, one at a time.
type wire struct {
	net.Conn
	line    *line
	pending []byte // the beginning of an operation; only the one writer touches it

	mu     sync.Mutex
	severe bool
}

func (w *wire) sever() {
	w.mu.Lock()
	w.severe = true
	w.mu.Unlock()
	_ = w.Close() // nothing is left to be told about it
}

func (w *wire) severed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.severe
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.severed() {
		return 0, io.EOF
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.pending = append(w.pending, p...)
	for {
		n, before, after := operation(w.pending)
		if n == 0 {
			return len(p), nil
		}
		if strike := w.line.meet(before); strike != nil {
			strike()
		}
		if w.severed() {
			return 0, errCut
		}
		if w.line.spoil != nil && after == duringAppend {
			w.line.spoil(w.pending[:n])
		}
		if err := w.deliver(w.pending[:n], w.line.meet(after)); err != nil {
			return 0, err
		}
		w.pending = w.pending[n:]
	}
}

// deliver one operation. When the blow is to fall after it, nothing more is read from before it is
// written, since the broker may answer at once.
func (w *wire) deliver(op []byte, strike func()) error {
	if strike != nil {
		w.mu.Lock()
		w.severe = true
		w.mu.Unlock()
		defer strike()
	}
	_, err := w.Conn.Write(op)
	return err
}

// operation finds the first whole operation and the boundaries on its two sides, if it is one.
func operation(b []byte) (n int, before, after boundary) {
	end := bytes.Index(b, []byte("\r\n"))
	if end < 0 {
		return 0, "", ""
	}
	head := strings.Fields(string(b[:end]))
	n = end + 2
	if len(head) < 3 || head[0] != "PUB" && head[0] != "HPUB" {
		return n, "", ""
	}
	size, err := strconv.Atoi(head[len(head)-1])
	if err != nil || len(b) < n+size+2 {
		return 0, "", ""
	}
	body := b[n : n+size]
	n += size + 2
	switch subject := head[1]; {
	case strings.HasPrefix(subject, "$JS.ACK.") && bytes.HasPrefix(body, []byte("+ACK")):
		return n, beforeAck, duringAck
	case head[0] == "HPUB" && (strings.HasPrefix(subject, "invoices.") || strings.HasPrefix(subject, "orders.") || strings.HasPrefix(subject, "parked.") || strings.HasPrefix(subject, "open.")):
		return n, beforeAppend, duringAppend
	}
	return n, "", ""
}
