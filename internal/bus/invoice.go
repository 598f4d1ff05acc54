package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Loaded is an invoice with its place in the stream; Seq 0 is an invoice of which nothing is recorded.
type Loaded struct {
	events.Invoice
	Key     events.Key
	Seq     uint64
	EventID string
}

// ErrNothing is what a decision returns when there is nothing to record: an earlier delivery or
// another worker did it, or the state has moved on.
var ErrNothing = errors.New("nothing to record")

// Load gives the invoice as its last event has it.
func (b *Bus) Load(ctx context.Context, k events.Key) (Loaded, error) {
	l := Loaded{Key: k}
	raw, err := b.last(ctx, events.InvoicesStream, k.All())
	if err != nil || raw == nil {
		return l, err
	}
	l.Seq, l.EventID = raw.Sequence, raw.Header.Get(nats.MsgIdHdr)
	l.Invoice, err = DecodeInvoice(raw.Data)
	return l, err
}

// DecodeInvoice reads the invoice out of an event of INVOICES.
func DecodeInvoice(body []byte) (events.Invoice, error) {
	var e events.Envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return events.Invoice{}, fmt.Errorf("invoice event: %w", err)
	}
	var inv events.Invoice
	if err := json.Unmarshal(e.Data, &inv); err != nil {
		return events.Invoice{}, fmt.Errorf("invoice event %s: data: %w", e.ID, err)
	}
	return inv, nil
}

// last message that matches the filter, or nil.
func (b *Bus) last(ctx context.Context, stream, filter string) (*jetstream.RawStreamMsg, error) {
	s, err := b.stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	raw, err := s.GetLastMsgForSubject(ctx, filter)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	return raw, err
}

// Decide gives the invoice after the event, or ErrNothing. It must be pure: it is asked again when
// another event came in between.
type Decide func(events.Invoice) (events.Invoice, error)

// maxConflicts bounds how often one update starts anew. Each conflict means that another writer got
// further, and an invoice has few events.
const maxConflicts = 20

// Update records one event of an invoice: load, decide, append, and again on a conflict. It returns
// the invoice after the event, or as it is when there was nothing to record.
func (b *Bus) Update(ctx context.Context, worker string, k events.Key, decide Decide) (events.Invoice, error) {
	l, err := b.Load(ctx, k)
	if err != nil {
		return events.Invoice{}, err
	}
	return b.UpdateFrom(ctx, worker, l, decide)
}

// Insist records what the provider has answered and would not answer again: while the broker fails it tries
// again, as long as it would to publish, and after the end of ctx no more.
func (b *Bus) Insist(ctx context.Context, record func(context.Context) error) error {
	for deadline := time.Now().Add(publishPatience); ; {
		err := record(context.WithoutCancel(ctx))
		if err == nil || errors.Is(err, nats.ErrConnectionClosed) || time.Now().After(deadline) || !pause(ctx, reconnectWait) {
			return err
		}
		b.log.Warn().Err(err).Msg("an answer of the provider is not recorded yet")
	}
}

// UpdateFrom is Update from an invoice that is already loaded.
func (b *Bus) UpdateFrom(ctx context.Context, worker string, l Loaded, decide Decide) (events.Invoice, error) {
	for range maxConflicts {
		next, err := decide(l.Invoice)
		if errors.Is(err, ErrNothing) {
			return l.Invoice, nil
		}
		if err != nil {
			return l.Invoice, err
		}
		id := nuid.Next()
		if err = b.append(ctx, worker, l, next, id); err == nil {
			return next, nil
		}
		if !conflict(err) {
			return l.Invoice, fmt.Errorf("append %s: %w", next.Change.Event, err)
		}
		if l, err = b.Load(ctx, l.Key); err != nil {
			return events.Invoice{}, err
		}
		if l.EventID == id {
			return l.Invoice, nil // an answer was lost, the event was not
		}
		b.metrics.conflicts.WithLabelValues(worker).Inc()
	}
	return l.Invoice, fmt.Errorf("append to %s: %d conflicts in a row", l.Key, maxConflicts)
}

func (b *Bus) append(ctx context.Context, worker string, l Loaded, next events.Invoice, id string) error {
	c := next.Change
	e, err := events.NewEnvelope(id, "/seqrflow/"+worker, "invoice."+string(c.Event), next.Shop+"/"+next.InvoiceID, c.At, next)
	if err != nil {
		return err
	}
	e.TraceParent = traceOf(ctx)
	if err := b.publishAt(ctx, l.Key.Subject(c.Event), l.Key.All(), l.Seq, e); err != nil {
		return err
	}
	b.metrics.events.WithLabelValues(string(c.Event)).Inc()
	b.logChange(worker, l.Key, c)
	return nil
}

// publishAt publishes expecting that seq is the last sequence under the filter. While the broker does
// not answer it goes on with the same id and the same expectation, so that the event is there at most
// once, until ctx ends.
func (b *Bus) publishAt(ctx context.Context, subject, filter string, seq uint64, e events.Envelope) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: subject, Data: body, Header: nats.Header{}}
	m.Header.Set("Content-Type", "application/cloudevents+json")
	return b.publish(ctx, m, jetstream.WithMsgID(e.ID), jetstream.WithExpectLastSequenceForSubject(seq, filter))
}

// publish waits for the broker's acknowledgement and repeats a publish that was not answered.
func (b *Bus) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) error {
	deadline := time.Now().Add(publishPatience)
	for {
		once, cancel := context.WithTimeout(ctx, requestTimeout)
		_, err := b.js.PublishMsg(once, m, opts...)
		cancel()
		if err == nil || errors.Is(err, nats.ErrConnectionClosed) || isAPIError(err) && !isCode(err, 503) {
			return err
		}
		if time.Now().After(deadline) || !pause(ctx, reconnectWait) {
			return err
		}
	}
}

// publishPatience is shorter than what the broker remembers of ids, so a repeat is never a second event.
const publishPatience = duplicates / 2

// conflict says that another event came first (10071 wrong last sequence; 10164 the same from a
// cluster that has one in flight).
func conflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == 10071 || api.ErrorCode == 10164)
}

func (b *Bus) logChange(worker string, k events.Key, c events.Change) {
	line := b.log.Info().Str("worker", worker).Str("shop", k.Shop).Str("invoice", k.Invoice).
		Str("event", string(c.Event)).Str("from", string(c.From)).Str("why", c.Why)
	if c.RefundID != "" {
		line = line.Str("refund", c.RefundID)
	}
	if call := c.Call; call != nil {
		line = line.Str("operation", call.Operation).Str("outcome", call.Outcome).Int64("ms", call.Millis)
		if call.Code != nil {
			line = line.Int("code", *call.Code)
		}
	}
	line.Msg("recorded")
}

type traceKey struct{}

// WithTrace gives the W3C trace context to every event appended under ctx.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

func traceOf(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}
