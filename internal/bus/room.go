package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

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
	begun   uint64 // bytes of what began since then
	largest int64  // message that each stream takes; 0 is any
	refused time.Time
	// unanswered is when a write was last not answered.
	unanswered time.Time
	denied     time.Time // when the account could not be asked about
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
	if now.Sub(r.refused) < refusedFor {
		return fmt.Errorf("%w: it refused a write a moment ago", ErrNoRoom)
	}
	if now.Sub(r.unanswered) < refusedFor {
		return errUnanswered
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
