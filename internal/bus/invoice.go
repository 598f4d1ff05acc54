package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Loaded is an invoice with its place on INVOICES. Seq is 0 when there is no message of it.
type Loaded struct {
	events.Invoice
	Key     events.Key
	Seq     uint64 // of the last message under the invoice's subjects
	eventID string // of the event that Invoice is of
}

// Known says whether an event of the invoice is recorded.
func (l Loaded) Known() bool { return l.State != "" }

// Load gives the invoice as its last event has it. A message under its subjects that no worker can have written is passed over,
// parked and counted; its sequence still is the one to append after. The error is events.ErrNewerVersion for an event of a newer
// major version: the invoice is left to newer workers.
func (b *Bus) Load(ctx context.Context, k events.Key) (Loaded, error) {
	l := Loaded{Key: k}
	last, err := b.last(ctx, events.InvoicesStream, k.All())
	if err != nil || last.Seq == 0 {
		return l, err
	}
	l.Seq, l.eventID = last.Seq, last.eventID()
	inv, _, err := events.DecodeInvoiceEvent(last.Subject, last.Body)
	switch {
	case err == nil:
		l.Invoice = inv
		return l, nil
	case errors.Is(err, events.ErrNewerVersion):
		if b.sometimes.OK("newer") {
			b.log.Error().Str("invoice", k.String()).Str("subject", last.Subject).Err(err).Msg("events of a newer version; this version leaves their invoices alone")
		}
		return l, err
	}
	return l, b.newestValid(ctx, &l)
}

// LastEventSeq gives the sequence of the invoice's last event of that name, 0 when there is none. A message that no worker can have
// written does not count.
func (b *Bus) LastEventSeq(ctx context.Context, k events.Key, e events.Name) (uint64, error) {
	last, err := b.last(ctx, events.InvoicesStream, k.Subject(e))
	if err != nil || last.Seq == 0 {
		return 0, err
	}
	if !isForeign(last) {
		return last.Seq, nil
	}
	all, err := b.few(ctx, events.InvoicesStream, k.Subject(e))
	for _, m := range slices.Backward(all) {
		if !isForeign(m) {
			return m.Seq, err
		}
	}
	return 0, err
}

func isForeign(e Entry) bool {
	_, _, err := events.DecodeInvoiceEvent(e.Subject, e.Body)
	return errors.Is(err, events.ErrForeignEvent)
}

// newestValid finds the last event of an invoice that a worker can have written, and parks the messages that none can have written.
// That they cannot be parked is no reason not to go on with the invoice.
func (b *Bus) newestValid(ctx context.Context, l *Loaded) error {
	_, err := b.Scan(ctx, Scan{Stream: events.InvoicesStream, Filters: []string{l.Key.All()}, ByRequest: true}, func(m Entry) error {
		inv, _, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
		switch {
		case err == nil:
			l.Invoice, l.eventID = inv, m.eventID()
		case errors.Is(err, events.ErrNewerVersion):
			return err
		default:
			_ = b.foreign(ctx, Delivery{Entry: m}, err)
		}
		return nil
	})
	return err
}

// GapHeader is the header of an event that has the change's secondsWithoutAnswer, in seconds: so a scan without bodies finds the
// payments that may have been reversed.
const GapHeader = "Seqrflow-Seconds-Without-Answer"

// Decide gives the invoice after the event that is to be recorded, or ErrNothing. It must be pure: it is called again when another
// event came first.
type Decide func(events.Invoice) (events.Invoice, error)

// IfAllowed gives a decision that is ErrNothing where the table of states does not allow what next decides: the state has moved on.
func IfAllowed(next Decide) Decide {
	return func(inv events.Invoice) (events.Invoice, error) {
		after, err := next(inv)
		if errors.Is(err, events.ErrNotAllowed) {
			return inv, ErrNothing
		}
		return after, err
	}
}

// EventSize gives the size in bytes of the event that the worker records when next is the invoice after it.
func EventSize(worker string, next events.Invoice) (int, error) {
	body, err := invoiceEvent(worker, next, nuid.Next()).encode("")
	return len(body), err
}

func invoiceEvent(worker string, next events.Invoice, id string) event {
	c := next.Change
	return event{id, events.SourceOf(events.Actor(worker)), "invoice." + string(c.Event), next.Shop + "/" + next.InvoiceID, c.At, next}
}

// Update records one event of an invoice: it loads, decides, appends, and does so again when another writer comes first. It returns
// the invoice after the event, or as it is when there is nothing to record. The event must be one that the table of states lets
// the worker record. While the broker does not answer it tries for one minute, and no longer than ctx.
func (b *Bus) Update(ctx context.Context, worker string, k events.Key, decide Decide) (events.Invoice, error) {
	l, err := b.Load(ctx, k)
	if err != nil {
		return events.Invoice{}, err
	}
	return b.UpdateFrom(ctx, worker, l, decide)
}

// UpdateFrom is Update of an invoice that is loaded already.
func (b *Bus) UpdateFrom(ctx context.Context, worker string, l Loaded, decide Decide) (events.Invoice, error) {
	return updater[events.Invoice]{
		name: l.Key.String(), conflict: func() { b.metrics.conflicts.WithLabelValues(worker).Inc() },
		load: func(ctx context.Context) (version[events.Invoice], error) {
			newest, err := b.Load(ctx, l.Key)
			return newest.version(), err
		},
		append: func(ctx context.Context, expected uint64, next events.Invoice, id string) error {
			return b.append(ctx, worker, l.Key, expected, next, id)
		},
	}.update(ctx, l.version(), decide)
}

func (l Loaded) version() version[events.Invoice] {
	return version[events.Invoice]{l.Invoice, l.Seq, l.eventID}
}

func (b *Bus) append(ctx context.Context, worker string, k events.Key, expected uint64, next events.Invoice, id string) error {
	c := next.Change
	if !slices.Contains(events.RecordersOf(c.From, c.Event), events.Actor(worker)) {
		return fmt.Errorf("%s on %s is not for %s to record", c.Event, c.From, worker)
	}
	header := nats.Header{}
	if c.SecondsWithoutAnswer > 0 {
		header.Set(GapHeader, strconv.FormatFloat(c.SecondsWithoutAnswer, 'f', -1, 64))
	}
	if err := b.appendEvent(ctx, appended{invoiceEvent(worker, next, id), k.Subject(c.Event), k.All(), expected, header}); err != nil {
		return err
	}
	b.logChange(worker, k, c)
	return nil
}

func (b *Bus) logChange(worker string, k events.Key, c events.Change) {
	level := zerolog.InfoLevel
	if c.Event == events.EventRefundUnknown || c.SecondsWithoutAnswer > 0 { // money may be lost: a person has to look
		level = zerolog.WarnLevel
	}
	line := b.log.WithLevel(level).Str("worker", worker).Str("shop", k.Shop).Str("invoice", k.Invoice).
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

// withTrace gives a context under which every event that is appended carries the W3C trace context.
func withTrace(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, traceparent)
}

func traceOf(ctx context.Context) string {
	s, _ := ctx.Value(traceKey{}).(string)
	return s
}

// LoadedPeriod is a period with its place on PERIODS. Seq is 0 when there is no message of it.
type LoadedPeriod struct {
	events.Period
	Key     events.PeriodKey
	Seq     uint64 // of the last message under the period's subjects
	eventID string // of that message
}

// LoadPeriod gives the period as its last event has it. The error is events.ErrPeriodUnreadable if that cannot be read.
func (b *Bus) LoadPeriod(ctx context.Context, k events.PeriodKey) (LoadedPeriod, error) {
	l := LoadedPeriod{Key: k}
	last, err := b.last(ctx, events.PeriodsStream, k.All())
	if err != nil || last.Seq == 0 {
		return l, err
	}
	l.Seq, l.eventID = last.Seq, last.eventID()
	l.Period, err = events.DecodePeriod(last.Body)
	return l, err
}

// DecidePeriod gives the period after the event that is to be recorded, or ErrNothing. Like [Decide] it must be pure.
type DecidePeriod func(events.Period) (events.Period, error)

// UpdatePeriod records one event of a period, as [Bus.Update] does of an invoice.
func (b *Bus) UpdatePeriod(ctx context.Context, worker string, k events.PeriodKey, decide DecidePeriod) (events.Period, error) {
	load := func(ctx context.Context) (version[events.Period], error) {
		l, err := b.LoadPeriod(ctx, k)
		return version[events.Period]{l.Period, l.Seq, l.eventID}, err
	}
	at, err := load(ctx)
	if err != nil {
		return events.Period{}, err
	}
	return updater[events.Period]{
		name: k.String(), conflict: func() { b.metrics.conflicts.WithLabelValues(worker).Inc() }, load: load,
		append: func(ctx context.Context, expected uint64, next events.Period, id string) error {
			return b.appendPeriod(ctx, worker, k, expected, next, id)
		},
	}.update(ctx, at, decide)
}

func (b *Bus) appendPeriod(ctx context.Context, worker string, k events.PeriodKey, expected uint64, next events.Period, id string) error {
	c := next.Change
	e := event{id, events.SourceOf(events.Actor(worker)), "period." + string(c.Event), next.Shop + "/" + next.Period, c.At, next}
	if err := b.appendEvent(ctx, appended{e, k.Subject(string(c.Event)), k.All(), expected, nats.Header{}}); err != nil {
		return err
	}
	b.log.Info().Str("worker", worker).Str("shop", k.Shop).Str("period", k.Period).
		Str("event", string(c.Event)).Str("from", string(c.From)).Str("why", c.Why).Msg("recorded")
	return nil
}
