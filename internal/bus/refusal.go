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
// room, or has not answered it.
type refusals struct {
	mu sync.Mutex
	of map[string]refusal
}

type refusal struct {
	err    error
	at     time.Time
	silent bool // no answer came
}

func (r *refusals) note(kind string, last refusal) (refusing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last.err == nil {
		delete(r.of, kind)
	} else {
		if r.of == nil {
			r.of = map[string]refusal{}
		}
		r.of[kind] = last
	}
	return len(r.of) > 0
}

func (r *refusals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.of)
}

// last gives the newest of them; its err is nil when there is none.
func (r *refusals) last() (last refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.of {
		if one.at.After(last.at) {
			last = one
		}
	}
	return last
}

// silentAfter is how long a write on a connection that is up must have waited in vain to count as one that is not answered. A
// stream whose file could not be written, on a full disk for instance, answers nothing, also when there is room again.
const silentAfter = time.Second

// noteWrite remembers whether the broker refused a write for want of room, or did not answer it.
func (b *Bus) noteWrite(subject string, took time.Duration, err error) {
	now := time.Now()
	last := refusal{err: err, at: now}
	switch {
	case err == nil && !b.refusing.Load():
		return
	case err == nil:
	case isNoRoom(err):
		b.metrics.refusedWrites.Inc()
		b.room.mu.Lock()
		b.room.refused = now
		b.room.mu.Unlock()
	case errors.Is(err, context.DeadlineExceeded) && took >= silentAfter && b.nc.IsConnected():
		last.silent, last.err = true, fmt.Errorf("%s was not acknowledged within %s", subject, took.Round(100*time.Millisecond))
		b.room.mu.Lock()
		b.room.unanswered = now
		b.room.mu.Unlock()
	default:
		return // it says nothing about the storage
	}
	b.setRefusing(b.refusals.note(token(subject, 0), last))
}

func (b *Bus) setRefusing(refusing bool) {
	b.refusing.Store(refusing)
	n := 0.0
	if refusing {
		n = 1
	}
	b.metrics.refusing.Set(n)
}

// isNoRoom says whether an error is that the broker refused a write for want of room: its own (10023, 10047), that of the account
// (10002, 10028), or that of the stream (10077).
func isNoRoom(err error) bool {
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

const (
	// askAgainAfter is how long a refused write counts before another is tried.
	askAgainAfter = time.Second
	// silentFor is how long a write that was not answered counts: only another write to the same stream can tell more.
	silentFor = 30 * time.Second
)

// writable gives the error of the last write that the broker refused or did not answer. When no write was tried since, it tries
// one, and looks at the streams' limits if the process may.
func (b *Bus) writable(ctx context.Context, process string, limits bool) error {
	last := b.refusals.last()
	if age := time.Since(last.at); last.err == nil || age < askAgainAfter || last.silent && age < silentFor {
		return last.err
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
