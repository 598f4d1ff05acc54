package procs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// History is INVOICES as it was read from its beginning: each invoice as it is, every event that the
// state table does not allow where it stands, and when events were stored.
type History struct {
	mu     sync.Mutex
	last   map[events.Key]events.Invoice
	seqs   map[events.Key]uint64 // of the last events
	counts map[events.Name]int
	wrong  []string
	seq    uint64
	at     time.Time
	still  Gap // the longest time between two events
	news   chan struct{}
}

func newHistory() *History {
	return &History{last: map[events.Key]events.Invoice{}, seqs: map[events.Key]uint64{}, counts: map[events.Name]int{}, news: make(chan struct{})}
}

// ReadHistory of all that is recorded.
func ReadHistory(ctx context.Context, b *bus.Bus) (*History, error) {
	h := newHistory()
	_, err := b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream}, func(m bus.Entry) error {
		h.take(m, time.Time{})
		return nil
	})
	return h, err
}

// take reads one event and holds it against the state table, and against the event that stands before it.
func (h *History) take(m bus.Entry, at time.Time) (events.Invoice, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wrong := func(format string, args ...any) {
		h.wrong = append(h.wrong, fmt.Sprintf("%d %s: ", m.Seq, m.Subject)+fmt.Sprintf(format, args...))
	}
	if m.Seq <= h.seq {
		wrong("comes after %d", h.seq)
		return events.Invoice{}, false
	}
	a, err := events.ParseSubject(m.Subject)
	inv, unread := bus.DecodeInvoice(m.Body)
	if err := errors.Join(err, unread); err != nil {
		wrong("%v", err)
		return events.Invoice{}, false
	}
	k := a.Key()
	if got, want := m.Header[jetstream.ExpectedLastSubjSeqHeader], fmt.Sprint(h.seqs[k]); len(got) != 1 || got[0] != want {
		wrong("was decided after %v, and stands after %s", got, want)
	}
	for _, w := range illegal(h.last[k], inv, events.Name(a.Event)) {
		wrong("%s", w)
	}
	if !h.at.IsZero() && at.Sub(h.at) > h.still.Length {
		h.still = Gap{k.String(), h.at, at.Sub(h.at)}
	}
	h.last[k], h.seqs[k], h.seq, h.at = inv, m.Seq, m.Seq, at
	h.counts[inv.Change.Event]++
	close(h.news)
	h.news = make(chan struct{})
	return inv, true
}

// illegal says what is wrong with an event that stands directly after another of the same invoice.
func illegal(before, after events.Invoice, named events.Name) (wrong []string) {
	from, c := before.State, after.Change
	if from == "" {
		from = events.None
	}
	if c.Event != named {
		wrong = append(wrong, fmt.Sprintf("the subject says %s, the event %s", named, c.Event))
	}
	if c.From != from {
		wrong = append(wrong, fmt.Sprintf("%s was decided from %s, but stands after %s", c.Event, c.From, from))
	}
	if to, err := events.Next(from, c.Event, after.State == events.Refunded); err != nil || to != after.State {
		wrong = append(wrong, fmt.Sprintf("%s leads from %s to %s (%v), not to %s", c.Event, from, to, err, after.State))
	}
	if len(after.Refunds) < len(before.Refunds) || len(after.Receipts) < len(before.Receipts) {
		wrong = append(wrong, "a refund or a receipt was forgotten")
	}
	if before.ErsReference != "" && after.ErsReference != before.ErsReference {
		wrong = append(wrong, fmt.Sprintf("the payment %s became %s", before.ErsReference, after.ErsReference))
	}
	if after.State.Paid() && after.Refunded.Add(after.ReservedForRefunds).Cmp(after.Total) > 0 {
		wrong = append(wrong, fmt.Sprintf("%s of %s is refunded or held", after.Refunded.Add(after.ReservedForRefunds), after.Total))
	}
	return wrong
}

// Wrong is every event that may not stand where it does.
func (h *History) Wrong() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.wrong...)
}

// Last gives each invoice as its last event has it.
func (h *History) Last() map[events.Key]events.Invoice {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make(map[events.Key]events.Invoice, len(h.last))
	for k, inv := range h.last {
		out[k] = inv
	}
	return out
}

// Seq of the last event, and how many there are of one kind.
func (h *History) Seq(e events.Name) (seq uint64, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq, h.counts[e]
}

// StoodStill is the longest time between two events.
func (h *History) StoodStill() Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.still
}

// Await until enough is true, which is looked at after every event.
func (h *History) Await(ctx context.Context, enough func() bool) error {
	for {
		h.mu.Lock()
		news := h.news
		h.mu.Unlock()
		if enough() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
