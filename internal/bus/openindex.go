package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// OpenEntry is one message of the index of open invoices, the stream OPEN. The index has one for every invoice that a buyer may still
// pay: it is stored before the provider is asked for the invoice, and acknowledged, by which it is removed, once the end of the
// invoice is recorded.
type OpenEntry struct {
	Order uint64    `json:"order"` // sequence on ORDERS of the message that asked for the invoice
	At    time.Time `json:"-"`     // when it was stored
}

// ForgottenAfter is the age at which an entry is removed when no event of its invoice is recorded.
const ForgottenAfter = time.Hour

// IndexOpen puts an invoice on the index before the provider is asked for it, for the order message of this sequence on ORDERS; 0
// is none. When the invoice is on the index already it gives the entry that is there; mine says whether that is of the same order
// message. For another one a copy may be asking the provider right now.
func (b *Bus) IndexOpen(ctx context.Context, k events.Key, order uint64) (entry OpenEntry, mine bool, err error) {
	entry, err = updater[OpenEntry]{
		name: "the index of open invoices: " + k.String(),
		load: func(ctx context.Context) (version[OpenEntry], error) {
			last, err := b.last(ctx, events.OpenStream, k.Open())
			there := OpenEntry{At: last.Time}     // zero when it was removed in between
			_ = json.Unmarshal(last.Body, &there) // one that cannot be read has no holder
			return version[OpenEntry]{state: there, seq: last.Seq}, err
		},
		append: func(ctx context.Context, _ uint64, next OpenEntry, _ string) error {
			body, err := events.Encode(next)
			if err != nil {
				return err
			}
			m := &nats.Msg{Subject: k.Open(), Data: body, Header: nats.Header{}}
			return b.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(0))
		},
	}.update(ctx, version[OpenEntry]{}, func(there OpenEntry) (OpenEntry, error) {
		if !there.At.IsZero() {
			return there, ErrNothing
		}
		return OpenEntry{order, b.Now()}, nil
	})
	return entry, err == nil && entry.Order == order, err
}

// OpenCount gives the number of invoices on the index.
func (b *Bus) OpenCount(ctx context.Context) (uint64, error) {
	info, err := b.info(ctx, events.OpenStream)
	if err != nil {
		return 0, err
	}
	return info.State.Msgs, nil
}

// The settings of the stream say whether the index was built whole: a process may die while it builds the index.
const (
	indexKey   = "seqrflow.index"
	indexBuilt = "built"
)

// indexPart is the number of events that are read at a time.
const indexPart = 100_000

// ensureIndex builds the index, unless that was done.
func (b *Bus) ensureIndex(ctx context.Context, s jetstream.Stream) error {
	cfg := s.CachedInfo().Config
	if cfg.Metadata[indexKey] == indexBuilt {
		return nil
	}
	if err := b.buildIndex(ctx); err != nil {
		return fmt.Errorf("building the index of open invoices: %w", err)
	}
	return b.mark(ctx, cfg, indexKey, indexBuilt)
}

// buildIndex puts every open invoice of INVOICES on the index. It reads the newest events first, because the newest invoices are the
// most likely to be paid now. It is needed only where invoices are older than the index.
func (b *Bus) buildIndex(ctx context.Context) error {
	last, err := b.LastSeq(ctx, events.InvoicesStream)
	if err != nil {
		return err
	}
	closed, found := map[string]struct{}{}, 0
	for end := last; end > 0; {
		begin := end - min(end, indexPart) + 1
		open, err := b.openIn(ctx, begin, end, closed)
		if err != nil {
			return err
		}
		for _, k := range open {
			if _, _, err := b.IndexOpen(ctx, k, 0); err != nil {
				return err
			}
		}
		found += len(open)
		b.log.Info().Uint64("read", last-begin+1).Uint64("of", last).Int("open", found).Msg("building the index of open invoices")
		end = begin - 1
	}
	return nil
}

// openIn gives the invoices that were issued between two sequences and have not ended since. closed has the invoices of which the end
// was seen and the beginning was not.
func (b *Bus) openIn(ctx context.Context, begin, end uint64, closed map[string]struct{}) ([]events.Key, error) {
	issued := map[string]struct{}{}
	_, err := b.Scan(ctx, Scan{Stream: events.InvoicesStream, From: begin, To: end, HeadersOnly: true}, func(m Entry) error {
		k := keyOf(m.Subject)
		switch name := events.Name(strings.TrimPrefix(m.Subject, k+".")); {
		case name.Opens():
			issued[k] = struct{}{}
		case name.Closes():
			if _, here := issued[k]; here {
				delete(issued, k)
			} else {
				closed[k] = struct{}{}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var open []events.Key
	for k := range issued {
		if _, ended := closed[k]; ended {
			delete(closed, k)
		} else if a, err := events.ParseSubject(k + ".issued"); err == nil {
			open = append(open, a.Key())
		}
	}
	return open, nil
}
