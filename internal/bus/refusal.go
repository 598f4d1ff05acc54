package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// refusals has the kinds of subjects, by their first token, on which the broker has refused this process's last write for want of
// room.
type refusals struct {
	mu  sync.Mutex
	of  map[string]error
	any time.Time // when it refused a write last
}

func (r *refusals) note(kind string, err error) (refusing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.of, kind)
	} else {
		if r.of == nil {
			r.of = map[string]error{}
		}
		r.of[kind], r.any = err, time.Now()
	}
	return len(r.of) > 0
}

func (r *refusals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.of)
}

func (r *refusals) last() (at time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.of {
		return r.any, err
	}
	return r.any, nil
}

// noteWrite remembers whether the broker refused a write for want of room.
func (b *Bus) noteWrite(subject string, err error) {
	if err != nil && !IsNoRoom(err) {
		return // it says nothing about room
	}
	if err != nil {
		b.metrics.refusedWrites.Inc()
		b.room.mu.Lock()
		b.room.refused = time.Now()
		b.room.mu.Unlock()
	} else if !b.refusing.Load() {
		return
	}
	b.setRefusing(b.refusals.note(token(subject, 0), err))
}

func (b *Bus) setRefusing(refusing bool) {
	b.refusing.Store(refusing)
	n := 0.0
	if refusing {
		n = 1
	}
	b.metrics.refusing.Set(n)
}

// IsNoRoom says whether an error is that the broker refused a write for want of room: its own (10023, 10047), that of the account
// (10002, 10028), or that of the stream (10077).
func IsNoRoom(err error) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode {
	case 10002, 10023, 10028, 10047, 10077:
		return true
	}
	return false
}

// askAgainAfter is how long a refused write counts before another is tried.
const askAgainAfter = time.Second

// writable gives the error of the last write that the broker refused. When no write was tried since, it tries one, and looks at the
// streams' limits if the process may.
func (b *Bus) writable(ctx context.Context, process string, limits bool) error {
	at, err := b.refusals.last()
	if err == nil || time.Since(at) < askAgainAfter {
		return err
	}
	if limits {
		b.room.mu.Lock()
		err := b.look(ctx)
		b.room.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if err := b.TryWrite(ctx, process); err != nil {
		return err
	}
	b.refusals.clear()
	b.setRefusing(false)
	return nil
}

// probeSize is about the size of a larger event, in bytes.
const probeSize = 8 << 10

// TryWrite stores 8 KiB on PROBES, in the place of what the process has stored there before, to find out whether the broker takes
// what is written. It changes nothing else, and takes 2 s at most.
func (b *Bus) TryWrite(ctx context.Context, process string) error {
	ctx, cancel := context.WithTimeout(ctx, readyFor)
	defer cancel()
	err := b.publish(ctx, &nats.Msg{Subject: events.ProbeSubject(process), Data: make([]byte, probeSize), Header: nats.Header{}})
	if err != nil {
		return fmt.Errorf("writing %s: %w", events.ProbeSubject(process), err)
	}
	return nil
}
