package bus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// A broker that was restored from a backup has forgotten what happened after the backup was taken, also refunds that were paid
// then. It cannot know that by itself: the operator who restores says so (MarkRestored), and a process that has seen a later state
// of INVOICES notices.

// restoredKey is the key in the settings of INVOICES under which stands when it was restored last.
const restoredKey = "seqrflow.restored"

// history is how far this process has seen INVOICES.
type history struct {
	mu       sync.Mutex
	written  uint64    // last sequence that was acknowledged to this process
	last     uint64    // of the stream when it was looked at, and
	lastAt   time.Time // when that message was stored
	restored time.Time
}

// saw remembers a sequence that the broker has acknowledged.
func (h *history) saw(stream string, seq uint64) {
	if stream != events.InvoicesStream {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.written = max(h.written, seq)
}

// MarkRestored records that the broker's streams were restored from a backup now, and gives the time by the broker's clock: what was
// asked for before and has no recorded outcome may have been done after the backup was taken.
func (b *Bus) MarkRestored(ctx context.Context) (time.Time, error) {
	s, err := b.js.Stream(ctx, events.InvoicesStream)
	if err != nil {
		return time.Time{}, fmt.Errorf("stream %s: %w", events.InvoicesStream, b.denied(err))
	}
	info := s.CachedInfo()
	at := info.TimeStamp.UTC()
	return at, b.denied(b.mark(ctx, info.Config, restoredKey, at.Format(time.RFC3339Nano)))
}

// RestoredAt gives when the broker was restored from a backup last, as far as it is known; zero is never. It asks each time. When
// INVOICES ends before what this process has seen of it, or has another message there, it was restored just now, whether or not an
// operator has said so.
func (b *Bus) RestoredAt(ctx context.Context) (time.Time, error) {
	if _, err := b.stream(ctx, events.InvoicesStream); err != nil {
		return time.Time{}, err // not asked for while mu is held: what was written is noted under it
	}
	h := &b.history
	h.mu.Lock()
	defer h.mu.Unlock()
	info, err := b.info(ctx, events.InvoicesStream)
	if err != nil {
		return h.restored, err
	}
	marked, err := time.Parse(time.RFC3339Nano, info.Config.Metadata[restoredKey])
	if err == nil && marked.After(h.restored) {
		h.restored = marked
	}
	state := info.State
	again, err := b.wentBack(ctx, state)
	if err != nil {
		return h.restored, err
	}
	if again {
		b.log.Error().Uint64("seen", max(h.written, h.last)).Uint64("last", state.LastSeq).
			Msg("INVOICES is not what this process has seen of it: the broker was restored from a backup; run: seqrflow broker restored")
		h.restored, h.written = info.TimeStamp, state.LastSeq
	}
	h.last, h.lastAt = state.LastSeq, state.LastTime
	return h.restored, nil
}

// wentBack says whether INVOICES has lost what this process has seen of it, or has another message in its place. It is called
// with the history's mu held.
func (b *Bus) wentBack(ctx context.Context, now jetstream.StreamState) (bool, error) {
	h := &b.history
	switch {
	case now.LastSeq < h.last || now.LastSeq < h.written:
		return true, nil
	case h.last == 0 || h.lastAt.IsZero() || now.LastTime.IsZero():
		return false, nil
	case now.LastSeq == h.last:
		return !now.LastTime.Equal(h.lastAt), nil
	}
	e, err := b.messageAt(ctx, events.InvoicesStream, h.last)
	if e.Seq == 0 {
		return false, err // an operator has removed it
	}
	return !e.Time.Equal(h.lastAt), nil
}
