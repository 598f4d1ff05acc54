package bus

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// A broker that was restored from a backup has forgotten what happened after the backup was taken, also refunds that were
// paid then. It cannot know that by itself: whoever restores says so (MarkRestored), and a process that has seen a later
// state of a stream notices.

// restoredKey is where INVOICES keeps, in its settings, when it was restored last.
const restoredKey = "seqrflow.restored"

// restoredFor is how long a look at the settings counts.
const restoredFor = 2 * time.Second

// history is how far this process has seen the streams.
type history struct {
	mu       sync.Mutex
	seen     map[string]uint64 // last sequence that was acknowledged to this process, by stream
	restored time.Time
	looked   time.Time
}

// saw remembers a sequence that the broker has acknowledged.
func (h *history) saw(stream string, seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[stream] = max(h.seen[stream], seq)
}

// MarkRestored records that the broker's streams were restored from a backup: what was asked for before now and has no
// recorded outcome may have been done after the backup was taken.
func (b *Bus) MarkRestored(ctx context.Context) (time.Time, error) {
	s, err := b.js.Stream(ctx, events.InvoicesStream)
	if err != nil {
		return time.Time{}, fmt.Errorf("stream %s: %w", events.InvoicesStream, b.denied(err))
	}
	info := s.CachedInfo()
	cfg, at := info.Config, info.TimeStamp.UTC()
	cfg.Metadata = maps.Clone(cfg.Metadata)
	if cfg.Metadata == nil {
		cfg.Metadata = map[string]string{}
	}
	cfg.Metadata[restoredKey] = at.Format(time.RFC3339Nano)
	_, err = b.js.UpdateStream(ctx, cfg)
	return at, b.denied(err)
}

// RestoredAt is when the broker was restored from a backup; zero is never. A stream that ends before what this process
// has seen of it was restored just now, whoever says what.
func (b *Bus) RestoredAt(ctx context.Context) (time.Time, error) {
	b.history.mu.Lock()
	at, fresh := b.history.restored, time.Since(b.history.looked) < restoredFor
	b.history.mu.Unlock()
	if fresh {
		return at, nil
	}
	s, err := b.stream(ctx, events.InvoicesStream)
	if err != nil {
		return at, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	b.history.mu.Lock()
	seen := b.history.seen[events.InvoicesStream]
	b.history.mu.Unlock()
	info, err := s.Info(ctx)
	if err != nil {
		return at, err
	}
	marked, err := time.Parse(time.RFC3339Nano, info.Config.Metadata[restoredKey])
	b.history.mu.Lock()
	defer b.history.mu.Unlock()
	if err == nil && marked.After(b.history.restored) {
		b.history.restored = marked
	}
	if info.State.LastSeq < seen {
		b.log.Error().Uint64("seen", seen).Uint64("last", info.State.LastSeq).
			Msg("INVOICES ends before what this process has written: the broker was restored from a backup; run: seqrflow broker restored")
		b.history.restored, b.history.seen[events.InvoicesStream] = info.TimeStamp, info.State.LastSeq
	}
	b.history.looked = time.Now()
	return b.history.restored, nil
}
