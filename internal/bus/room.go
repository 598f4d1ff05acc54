package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// ErrNoRoom says that the broker's storage is too full to begin anything new. Events of what is open go on into the
// reserve.
var ErrNoRoom = errors.New("the broker's storage is nearly full")

const (
	// reserve is the part of a limit, in percent, that is kept for the events of invoices that are open already.
	reserve = 10
	// roomFor is how long a look at the limits counts.
	roomFor = time.Second
	// refusedFor is how long nothing new begins after the broker has refused a write for want of room.
	refusedFor = 5 * time.Second
)

// room is what is known of the broker's storage.
type room struct {
	mu      sync.Mutex
	looked  time.Time
	err     error
	refused time.Time
}

// Room says whether the broker has room for something new whose largest event will have this many bytes. The error is
// ErrTooLarge where that will never fit, ErrNoRoom while there is too little.
func (b *Bus) Room(ctx context.Context, size int) error {
	if err := b.fits(size); err != nil {
		return err
	}
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	now := time.Now()
	if now.Sub(b.room.refused) < refusedFor {
		return fmt.Errorf("%w: it refused a write a moment ago", ErrNoRoom)
	}
	if now.Sub(b.room.looked) < roomFor {
		return b.room.err
	}
	err := b.look(ctx, size)
	if err == nil || errors.Is(err, ErrNoRoom) {
		b.room.looked, b.room.err = now, err
	}
	return err
}

// look compares the streams' and the account's use with their limits.
func (b *Bus) look(ctx context.Context, size int) error {
	for _, name := range []string{events.InvoicesStream, events.OpenStream, events.ParkedStream} {
		s, err := b.stream(ctx, name)
		if err != nil {
			return err
		}
		once, cancel := context.WithTimeout(ctx, requestTimeout)
		info, err := s.Info(once)
		cancel()
		if err != nil {
			return err
		}
		c := info.Config
		if c.MaxMsgSize > 0 && size+headerRoom > int(c.MaxMsgSize) {
			return fmt.Errorf("%w: %d bytes, the max_msg_size of %s is %d", ErrTooLarge, size, name, c.MaxMsgSize)
		}
		if full(info.State.Bytes, c.MaxBytes) || full(info.State.Msgs, c.MaxMsgs) {
			return fmt.Errorf("%w: the stream %s has %d bytes of %d, %d messages of %d; raise its limits", ErrNoRoom, name, info.State.Bytes, c.MaxBytes, info.State.Msgs, c.MaxMsgs)
		}
	}
	once, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	account, err := b.js.AccountInfo(once)
	if err != nil {
		return nil //nolint:nilerr // not everybody may ask; the streams' own limits were looked at
	}
	if full(account.Store, account.Limits.MaxStore) {
		return fmt.Errorf("%w: the account uses %d bytes of %d", ErrNoRoom, account.Store, account.Limits.MaxStore)
	}
	return nil
}

// full says that a limit is used up to the reserve; a limit of 0 or less is none.
func full(used uint64, limit int64) bool {
	return limit > 0 && float64(used) >= float64(limit)*(100-reserve)/100
}
