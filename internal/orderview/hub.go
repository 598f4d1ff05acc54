package orderview

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Hub tells subscribers what happens to their order. It reads INVOICES once for all of them, from its start on. It is
// safe for concurrent use.
type Hub struct {
	bus *bus.Bus
	log zerolog.Logger

	ready chan struct{} // closed once every event that is recorded from then on is told
	ended chan struct{} // closed when Run has returned

	mu   sync.Mutex
	subs map[events.OrderKey]map[*Subscription]struct{}
}

// NewHub makes a hub that Run serves.
func NewHub(b *bus.Bus, log zerolog.Logger) *Hub {
	return &Hub{bus: b, log: log, ready: make(chan struct{}), ended: make(chan struct{}), subs: map[events.OrderKey]map[*Subscription]struct{}{}}
}

// again is the pause before the broker is asked again by a hub that could not read.
const again = 500 * time.Millisecond

// Run reads INVOICES and tells the subscribers until ctx ends. While the broker is away it waits, and then goes on where it was.
// It is called once.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.ended)
	var from uint64 // the next sequence to read; 0 until it is known where the stream ends
	for ctx.Err() == nil {
		err := h.follow(ctx, &from)
		if err != nil && ctx.Err() == nil {
			h.log.Debug().Err(err).Msg("following INVOICES goes on")
			select {
			case <-ctx.Done():
			case <-time.After(again):
			}
		}
	}
	return nil
}

func (h *Hub) follow(ctx context.Context, from *uint64) error {
	if *from == 0 {
		last, err := h.bus.LastSeq(ctx, events.InvoicesStream)
		if err != nil {
			return err
		}
		*from = last + 1
		close(h.ready)
	}
	return h.bus.Follow(ctx, []bus.Source{{Stream: events.InvoicesStream, Seq: *from}}, nil, func(e bus.Entry) error {
		h.tell(e)
		*from = e.Seq + 1
		return nil
	})
}

// tell tells the subscribers of an event. One that no worker of this version can have written says nothing.
func (h *Hub) tell(e bus.Entry) {
	h.mu.Lock()
	nobody := len(h.subs) == 0
	h.mu.Unlock()
	if nobody {
		return
	}
	inv, _, err := events.DecodeInvoiceEvent(e.Subject, e.Body)
	if err != nil {
		return
	}
	c := Change{inv, e.Seq}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs[events.OrderKeyOf(inv.Shop, inv.OrderID)] {
		s.add(c)
	}
}

// Subscription is told what happens to one order. Its methods are for one goroutine.
type Subscription struct {
	hub     *Hub
	order   events.OrderKey
	changed chan struct{}

	mu      sync.Mutex
	pending []Change
}

// SubscribeOrder tells of all invoices of the order, from its return on. It waits until the hub reads, or has ended; the error is that of
// ctx.
func (h *Hub) SubscribeOrder(ctx context.Context, order events.OrderKey) (*Subscription, error) {
	select {
	case <-h.ready:
	case <-h.ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s := &Subscription{hub: h, order: order, changed: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs[order] == nil {
		h.subs[order] = map[*Subscription]struct{}{}
	}
	h.subs[order][s] = struct{}{}
	return s, nil
}

// Ended is closed once Run has returned: subscribers are told nothing more.
func (h *Hub) Ended() <-chan struct{} { return h.ended }

// Changed receives a value when there is something to take.
func (s *Subscription) Changed() <-chan struct{} { return s.changed }

// Subscribers is how many subscriptions of the same order there are, with this one.
func (s *Subscription) Subscribers() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return len(s.hub.subs[s.order])
}

// Ended is closed once the hub tells nothing more.
func (s *Subscription) Ended() <-chan struct{} { return s.hub.ended }

// Take gives what has happened since the last call: for each invoice its last change. A subscriber that is slow misses what was
// between, and never the last.
func (s *Subscription) Take() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.pending
	s.pending = nil
	return out
}

// Close ends the subscription. It has to be called.
func (s *Subscription) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs[s.order], s)
	if len(h.subs[s.order]) == 0 {
		delete(h.subs, s.order)
	}
}

func (s *Subscription) add(c Change) {
	s.mu.Lock()
	i := slices.IndexFunc(s.pending, func(p Change) bool { return p.Invoice.InvoiceID == c.Invoice.InvoiceID })
	if i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
	}
	s.pending = append(s.pending, c)
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // it has not taken the last one yet
	}
}
