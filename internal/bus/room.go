package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrNoRoom says that the broker's storage is too full to begin anything new. The events of invoices that are open already go into a
// reserve of a tenth.
var ErrNoRoom = errors.New("the broker's storage is nearly full")

var errUnanswered = errors.New("the broker did not answer a write a moment ago: nothing new begins before it stores events again")

const (
	// reserve is the part of a limit, in percent, that is kept for the events of invoices that are open already.
	reserve = 10
	// roomFor is how long the limits count as known after they were asked for.
	roomFor = time.Second
	// refusedFor is how long nothing new begins after the broker has refused a write for want of room, or has not answered one.
	refusedFor = 5 * time.Second
	// accountFor is how long the account is not asked about after it could not be: most workers may not.
	accountFor = time.Minute
)

// room is what is known of the broker's storage.
type room struct {
	mu      sync.Mutex
	looked  time.Time
	err     error
	begun   uint64    // bytes of what began since then
	largest int64     // message that each stream takes; 0 is any
	failed  error     // what Room says because the broker has refused or not answered a write, and
	at      time.Time // when it did so last
	denied  time.Time // when the account could not be asked about
}

// fail has nothing new begin for a while, because of a write that failed.
func (r *room) fail(at time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.failed = at, err
}

// Room gives an error unless the broker has room for something new whose largest event will have this many bytes: ErrTooLarge if
// that will never fit, ErrNoRoom while there is too little. The limits are asked for once a second at most.
func (b *Bus) Room(ctx context.Context, size int) error {
	if err := b.fits(size); err != nil {
		return err
	}
	r := &b.room
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.at) < refusedFor {
		return r.failed
	}
	if now.Sub(r.looked) >= roomFor || r.begun > beginAtMost {
		err := b.look(ctx)
		if err != nil && !errors.Is(err, ErrNoRoom) {
			return err
		}
		r.looked, r.err, r.begun = now, err, 0
	}
	if err := tooLarge(size, r.largest, "a stream"); err != nil {
		return err
	}
	if r.err == nil {
		r.begun += uint64(size)
	}
	return r.err
}

// beginAtMost is how many bytes may begin before the limits are asked for again, however little time has passed.
const beginAtMost = 8 << 20

// RoomForOutcome gives an error unless INVOICES takes an intent and its outcome, each of this many bytes: ErrTooLarge or ErrNoRoom.
// What the provider has done must be recorded, so the reserve counts as room, unlike for Room. The limits are asked for each time.
func (b *Bus) RoomForOutcome(ctx context.Context, size int) error {
	if err := b.fits(size); err != nil {
		return err
	}
	info, err := b.info(ctx, events.InvoicesStream)
	if err != nil {
		return err
	}
	c, st := info.Config, info.State
	if err := tooLarge(size, int64(c.MaxMsgSize), c.Name); err != nil {
		return err
	}
	if c.MaxBytes > 0 && st.Bytes+2*uint64(size+headerRoom) > uint64(c.MaxBytes) || c.MaxMsgs > 0 && st.Msgs+2 > uint64(c.MaxMsgs) {
		return noRoomIn(info)
	}
	return nil
}

// tooLarge gives an error if a message with a body of this many bytes is larger than the most; 0 or less is no limit.
func tooLarge(size int, most int64, where string) error {
	if most > 0 && int64(size+headerRoom) > most {
		return fmt.Errorf("%w: %d bytes, the max_msg_size of %s is %d", ErrTooLarge, size, where, most)
	}
	return nil
}

func noRoomIn(info *jetstream.StreamInfo) error {
	c := info.Config
	return fmt.Errorf("%w: the stream %s has %d bytes of %d, %d messages of %d; raise its limits", ErrNoRoom, c.Name, info.State.Bytes, c.MaxBytes, info.State.Msgs, c.MaxMsgs)
}

// look compares the use of the streams and of the account with their limits. It is called with the room's mu held.
func (b *Bus) look(ctx context.Context) error {
	largest := int64(0)
	for _, name := range []string{events.InvoicesStream, events.OpenStream, events.ParkedStream} {
		info, err := b.info(ctx, name)
		if err != nil {
			return err
		}
		c := info.Config
		if most := int64(c.MaxMsgSize); most > 0 && (largest == 0 || most < largest) {
			largest = most
		}
		b.room.largest = largest
		if full(info.State.Bytes, c.MaxBytes) || full(info.State.Msgs, c.MaxMsgs) {
			return noRoomIn(info)
		}
	}
	return b.lookAtAccount(ctx)
}

// lookAtAccount compares the account's use with its limits, for each number of replicas where they differ. A user who may not ask
// gets no answer, and does not ask again for a minute: the streams' own limits were looked at.
func (b *Bus) lookAtAccount(ctx context.Context) error {
	if time.Since(b.room.denied) < accountFor {
		return nil
	}
	once, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	account, err := b.js.AccountInfo(once)
	if err != nil {
		b.room.denied = time.Now()
		return nil //nolint:nilerr // most users may not ask
	}
	tiers := map[string]jetstream.Tier{"": account.Tier}
	maps.Copy(tiers, account.Tiers)
	for name, t := range tiers {
		if full(t.Store, t.Limits.MaxStore) {
			return fmt.Errorf("%w: the account uses %d bytes of %d %s", ErrNoRoom, t.Store, t.Limits.MaxStore, name)
		}
	}
	return nil
}

// full says whether a limit is used up to the reserve; 0 or less is no limit.
func full(used uint64, limit int64) bool {
	return limit > 0 && float64(used) >= float64(limit)*(100-reserve)/100
}

// refusal is a write of this process that the broker refused for want of room, or did not answer.
type refusal struct {
	err    error
	at     time.Time
	silent bool // no answer came
}

// silentAfter is how long a write on a connection that is up must have waited in vain to count as one that is not answered. A
// stream whose file could not be written, on a full disk for instance, answers nothing, also when there is room again.
const silentAfter = time.Second

// noteWrite remembers whether the broker refused a write for want of room, or did not answer it.
func (b *Bus) noteWrite(subject string, took time.Duration, err error) {
	last := refusal{err: err, at: time.Now()}
	switch {
	case err == nil:
	case isNoRoom(err):
		b.metrics.refusedWrites.Inc()
		b.room.fail(last.at, fmt.Errorf("%w: it refused a write a moment ago", ErrNoRoom))
	case errors.Is(err, context.DeadlineExceeded) && took >= silentAfter && b.nc.IsConnected():
		last.silent, last.err = true, fmt.Errorf("%s was not acknowledged within %s", subject, took.Round(100*time.Millisecond))
		b.room.fail(last.at, errUnanswered)
	default:
		return // it says nothing about the storage
	}
	b.refusalsMu.Lock()
	defer b.refusalsMu.Unlock()
	if err == nil {
		delete(b.refusals, token(subject, 0))
	} else {
		b.refusals[token(subject, 0)] = last
	}
	b.metrics.refusing.Set(float64(min(len(b.refusals), 1)))
}

// isNoRoom says whether an error is that the broker refused a write for want of room: its own (10023, 10047), that of the account
// (10002, 10028), or that of the stream (10077).
func isNoRoom(err error) bool {
	return slices.Contains([]jetstream.ErrorCode{10002, 10023, 10028, 10047, 10077}, brokersAnswer(err).ErrorCode)
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
	var last refusal
	b.refusalsMu.Lock()
	for _, r := range b.refusals {
		if r.at.After(last.at) {
			last = r
		}
	}
	b.refusalsMu.Unlock()
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
	b.refusalsMu.Lock()
	defer b.refusalsMu.Unlock()
	clear(b.refusals)
	b.metrics.refusing.Set(0)
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
