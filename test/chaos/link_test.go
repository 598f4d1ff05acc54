package chaos

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

var errCut = errors.New("the connection was cut")

// link is one instance's connection to the broker. It sees what is written, and can be cut between any
// two operations, or after one of them whose answer is then never read.
type link struct {
	broker nats.InProcessConnProvider
	reach  func(boundary) (interrupt func()) // nil where nothing happens
	tamper func(operation []byte)            // changes an append; nil leaves it as it is
	hold   func() time.Duration              // how long an acknowledgement is under way to the broker

	mu   sync.Mutex
	down bool
	open []*linkConn
}

// InProcessConn implements nats.InProcessConnProvider.
func (l *link) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errCut
	}
	c, err := l.broker.InProcessConn()
	if err != nil {
		return nil, err
	}
	w := &linkConn{Conn: c, link: l}
	l.open = append(l.open, w)
	return w, nil
}

// cut cuts all connections. Nothing written before and not yet read by the broker gets there, and no answer
// under way arrives.
func (l *link) cut() {
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
func (l *link) mend() {
	l.mu.Lock()
	l.down = false
	l.mu.Unlock()
}

// linkConn is one connection of a link. It passes on whole operations of the NATS protocol, one at a time.
type linkConn struct {
	net.Conn
	link    *link
	pending []byte // the beginning of an operation; only the one writer touches it

	writing sync.Mutex // an operation, as a whole

	mu        sync.Mutex
	isSevered bool
}

func (w *linkConn) sever() {
	w.mu.Lock()
	w.isSevered = true
	w.mu.Unlock()
	_ = w.Close() // its error tells nothing new
}

func (w *linkConn) severed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isSevered
}

func (w *linkConn) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.severed() {
		return 0, io.EOF
	}
	return n, err
}

func (w *linkConn) Write(p []byte) (int, error) {
	w.pending = append(w.pending, p...)
	for {
		n, before, after := operation(w.pending)
		if n == 0 {
			return len(p), nil
		}
		if interrupt := w.link.reach(before); interrupt != nil {
			interrupt()
		}
		if w.severed() {
			return 0, errCut
		}
		if w.link.tamper != nil && after == duringAppend {
			w.link.tamper(w.pending[:n])
		}
		if after == duringAck && w.holdBack(w.pending[:n]) {
			w.pending = w.pending[n:]
			continue
		}
		if err := w.deliver(w.pending[:n], w.link.reach(after)); err != nil {
			return 0, err
		}
		w.pending = w.pending[n:]
	}
}

// deliver writes one operation. When the interruption comes after it, nothing more is read from before it is
// written, since the broker may answer at once.
func (w *linkConn) deliver(op []byte, interrupt func()) error {
	if interrupt != nil {
		w.mu.Lock()
		w.isSevered = true
		w.mu.Unlock()
		defer interrupt()
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	_, err := w.Conn.Write(op)
	return err
}

// holdBack writes the operation later, after those that come meanwhile, if it is to be held.
func (w *linkConn) holdBack(op []byte) bool {
	held := w.link.hold()
	if held == 0 {
		return false
	}
	op = bytes.Clone(op)
	time.AfterFunc(held, func() {
		if !w.severed() {
			_ = w.deliver(op, nil) // what is lost comes again
		}
	})
	return true
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
	case head[0] == "HPUB" && (strings.HasPrefix(subject, "invoices.") || strings.HasPrefix(subject, "orders.") || strings.HasPrefix(subject, "parked.") || strings.HasPrefix(subject, "open.") || strings.HasPrefix(subject, "deliveries.")):
		return n, beforeAppend, duringAppend
	}
	return n, "", ""
}
