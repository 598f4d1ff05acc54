package orderapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/sse"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// keepAlive is the pause between two signs of life of a stream in which nothing happens: proxies end a silent connection.
const keepAlive = 15 * time.Second

// streamTime is how long one stream lasts. Then the client connects again and goes on with Last-Event-ID.
const streamTime = 15 * time.Minute

// again is the pause before the broker is asked again by a stream that could not read.
const again = 500 * time.Millisecond

// InvoiceEvent is one event of an invoice.
type InvoiceEvent struct {
	Event string     `json:"event" doc:"Such as issued, paid, receipted, refunded" example:"paid"`
	At    time.Time  `json:"at" doc:"By the broker's clock"`
	Why   string     `json:"why" doc:"For people"`
	Order OrderState `json:"order" doc:"After the event, as far as this invoice goes"`
}

// Alive says that nothing has happened for a while.
type Alive struct {
	At time.Time `json:"at" doc:"By the broker's clock"`
}

type eventsInput struct {
	Shop        string `path:"shop" doc:"The shop's id" example:"acme"`
	LastEventID string `header:"Last-Event-ID" pattern:"^[0-9]{1,18}$" doc:"The id of the last event that the client has; the stream goes on after it. 0 begins with the first event of all. Without it the stream begins now" example:"41"`
}

func (a *API) registerEvents(api huma.API) {
	sse.Register(api, huma.Operation{
		OperationID: "streamEvents", Method: http.MethodGet, Path: eventsPath, Summary: "What happens to the shop's invoices, as it happens",
		Description: "Server-sent events. The id of each is its sequence in the stream of all invoices: with Last-Event-ID none is missed. The first event, " +
			"alive, has the id that the stream begins after; another comes every 15 s. A stream ends after 15 minutes at most.",
		Errors: []int{401, 422, 429, 503}, Middlewares: huma.Middlewares{a.beginStream},
	}, map[string]any{"invoice": InvoiceEvent{}, "alive": Alive{}}, a.stream)
}

// streams counts the open streams of each shop.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// begin counts one more, unless there are most; end takes it away again.
func (s *streams) begin(shop string, most int) (end func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[shop] >= most {
		return nil, false
	}
	s.open[shop]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[shop]--; s.open[shop] == 0 {
			delete(s.open, shop)
		}
	}, true
}

type afterKey struct{}

// beginStream finds out where a stream begins, before its answer does. Each stream is a consumer at the broker, so a shop may have
// few.
func (a *API) beginStream(ctx huma.Context, next func(huma.Context)) {
	_, w := humago.Unwrap(ctx)
	end, ok := a.streams.begin(events.Token(ctx.Param("shop")), a.Streams)
	if !ok {
		w.Header().Set("Retry-After", "60")
		writeProblem(w, http.StatusTooManyRequests, fmt.Sprintf("the shop has %d streams open", a.Streams))
		return
	}
	defer end()
	id := ctx.Header("Last-Event-ID")
	after, wrong := strconv.ParseUint(cmp.Or(id, "0"), 10, 62)
	last, err := a.lastEvent(ctx.Context(), after)
	if err != nil {
		_ = a.unavailable(err) // logs it
		w.Header().Set("Retry-After", "1")
		writeProblem(w, http.StatusServiceUnavailable, notAvailable)
		return
	}
	switch {
	case id == "":
		after = last
	case wrong != nil || after > last:
		writeProblem(w, http.StatusUnprocessableEntity, "the header is not as expected",
			&huma.ErrorDetail{Location: "header.Last-Event-ID", Message: fmt.Sprintf("expected the id of an event of this stream, 0 to %d", last), Value: id})
		return
	}
	w.Header().Set("X-Accel-Buffering", "no") // a proxy passes each event on at once
	next(huma.WithValue(ctx, afterKey{}, after))
}

// lastEvent gives the id of the stream's last event. In a cluster the stream's leader may store an event some milliseconds after another
// broker has given it to the client: while it has none that is as late as the client's, it is asked again, for a second and a half.
func (a *API) lastEvent(ctx context.Context, client uint64) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, brokerTime)
	defer cancel()
	for pause := 25 * time.Millisecond; ; pause *= 2 {
		if last, err = a.Bus.LastSeq(ctx, events.InvoicesStream); err != nil || last >= client || pause > time.Second {
			return last, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (a *API) stream(ctx context.Context, in *eventsInput, send sse.Sender) {
	ctx, cancel := context.WithTimeout(ctx, streamTime)
	defer cancel()
	after, _ := ctx.Value(afterKey{}).(uint64)
	found := a.follow(ctx, events.Token(a.shopID(in.Shop)), after+1)
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	if send(sse.Message{ID: int(after), Data: Alive{a.Bus.Now()}}) != nil {
		return
	}
	for {
		select {
		case e := <-found:
			inv, _, err := events.DecodeInvoiceEvent(e.Subject, e.Body)
			if err != nil {
				continue // no worker of this version can have written it
			}
			if send(sse.Message{ID: int(e.Seq), Data: a.eventOf(inv)}) != nil {
				return
			}
		case <-tick.C:
			if send.Data(Alive{a.Bus.Now()}) != nil {
				return
			}
		case <-a.Hub.Ended(): // the gateway stops
			return
		case <-ctx.Done():
			return
		}
	}
}

// follow gives the shop's events from a sequence on, until ctx ends. While the broker is away it waits.
func (a *API) follow(ctx context.Context, shop string, from uint64) <-chan bus.Entry {
	found := make(chan bus.Entry)
	take := func(e bus.Entry) error {
		select {
		case found <- e:
			from = e.Seq + 1
			return nil
		case <-ctx.Done():
			return bus.ErrStop
		}
	}
	go func() {
		for ctx.Err() == nil {
			source := bus.Source{Stream: events.InvoicesStream, Filters: []string{"invoices." + shop + ".*.*"}, Seq: from}
			if err := a.Bus.Follow(ctx, []bus.Source{source}, nil, take); err != nil {
				a.Log.Debug().Err(err).Str("shop", shop).Msg("following INVOICES goes on")
				select {
				case <-time.After(again):
				case <-ctx.Done():
				}
			}
		}
	}()
	return found
}

func (a *API) eventOf(inv events.Invoice) InvoiceEvent {
	return InvoiceEvent{Event: string(inv.Change.Event), At: inv.Change.At, Why: inv.Change.Why, Order: a.stateOfInvoice(inv)}
}
