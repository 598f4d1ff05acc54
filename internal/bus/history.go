package bus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// backlog is how many messages may wait for a consumer before it is worth finding out which of them still matter.
const backlog = 1000

// history knows which invoices of a backlog are still open.
type history struct {
	bus  *Bus
	spec Consumer

	last uint64 // up to where the stream was read
	open map[string]struct{}
}

// read goes through the events, not their bodies, when much is waiting.
func (h *history) read(ctx context.Context, consumer *jetstream.ConsumerInfo) error {
	if consumer.NumPending < backlog {
		return nil
	}
	open := map[string]struct{}{}
	filters := slices.Clone(h.spec.subjects())
	for i, f := range filters {
		filters[i] = invoiceOf(f) + ".*"
	}
	last, err := h.bus.Scan(ctx, Scan{Stream: h.spec.Stream, Filters: filters, HeadersOnly: true}, func(m Scanned) error {
		switch k := invoiceOf(m.Subject); events.Name(strings.TrimPrefix(m.Subject, k+".")) {
		case events.EventIssued:
			open[k] = struct{}{}
		case events.EventPaid, events.EventCanceled, events.EventFailed, events.EventExpired:
			delete(open, k)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("which of %d waiting messages matter: %w", consumer.NumPending, err)
	}
	h.last, h.open = last, open
	h.bus.log.Info().Str("consumer", h.spec.durable()).Uint64("waiting", consumer.NumPending).Int("open", len(open)).
		Msg("a long backlog: invoices that have ended are passed over")
	return nil
}

// skips acknowledges a message about an invoice that has ended, and reports whether it was one.
func (h *history) skips(m jetstream.Msg) bool {
	if h.last == 0 {
		return false
	}
	meta, err := m.Metadata()
	if err != nil || meta.Sequence.Stream > h.last {
		return false
	}
	if _, open := h.open[invoiceOf(m.Subject())]; open {
		return false
	}
	return m.Ack() == nil
}

// invoiceOf is a subject without its event: what names the order or invoice.
func invoiceOf(subject string) string {
	if i := strings.LastIndexByte(subject, '.'); i > 0 {
		return subject[:i]
	}
	return subject
}
