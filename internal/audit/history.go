package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Event is one event of an invoice, with the invoice after it.
type Event struct {
	Seq  uint64    // in INVOICES
	Time time.Time // when the broker stored it
	events.Invoice
}

// History has every event of every invoice in the order in which INVOICES has them.
// It is not safe for concurrent use.
type History struct {
	Events   map[events.Key][]Event
	Problems []string // one for each rule that an event breaks, in the order of the stream

	lastSeq map[events.Key]uint64 // of the last message under the invoice's subjects, foreign ones included
	seq     uint64
}

// Read reads the whole of INVOICES and checks every event.
// Foreign lists the sequences of the messages that a client other than a worker wrote there: they are no part of the history,
// and it is a problem if one of them can be taken for an event of a worker.
func Read(ctx context.Context, b *bus.Bus, foreign ...uint64) (*History, error) {
	h := newHistory()
	_, err := b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream}, func(e bus.Entry) error {
		h.add(e, slices.Contains(foreign, e.Seq))
		return nil
	})
	return h, err
}

func newHistory() *History {
	return &History{Events: map[events.Key][]Event{}, lastSeq: map[events.Key]uint64{}}
}

// Last gives each invoice as its last event has it.
func (h *History) Last() map[events.Key]events.Invoice {
	last := make(map[events.Key]events.Invoice, len(h.Events))
	for k, all := range h.Events {
		last[k] = all[len(all)-1].Invoice
	}
	return last
}

// add reads one message and checks it against the event before it of the same invoice.
func (h *History) add(m bus.Entry, foreign bool) {
	report := func(format string, args ...any) {
		h.Problems = append(h.Problems, fmt.Sprintf("%d %s: ", m.Seq, m.Subject)+fmt.Sprintf(format, args...))
	}
	if m.Seq <= h.seq {
		report("comes after message %d", h.seq)
	}
	h.seq = m.Seq
	a, err := events.ParseSubject(m.Subject)
	if err != nil {
		report("%v", err)
		return
	}
	k := a.Key()
	loaded := h.lastSeq[k]
	h.lastSeq[k] = m.Seq
	inv, _, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
	switch {
	case foreign && err != nil:
		return
	case foreign:
		report("no worker wrote it, and it can be taken for a worker's")
		return
	case err != nil:
		report("%v", err)
		return
	}
	if got, want := m.Header[jetstream.ExpectedLastSubjSeqHeader], fmt.Sprint(loaded); !slices.Equal(got, []string{want}) {
		report("was decided after message %v, and follows message %s", got, want)
	}
	var before events.Invoice
	if all := h.Events[k]; len(all) > 0 {
		before = all[len(all)-1].Invoice
	}
	for _, p := range slices.Concat(checkTransition(before, inv), checkKept(before, inv)) {
		report("%s", p)
	}
	h.Events[k] = append(h.Events[k], Event{m.Seq, m.Time, inv})
}

// checkTransition says how the event breaks the state table.
func checkTransition(before, after events.Invoice) (problems []string) {
	from, c := before.State, after.Change
	if from == "" {
		from = events.None
	}
	if c.From != from {
		problems = append(problems, fmt.Sprintf("%s was decided from %s, and the state was %s", c.Event, c.From, from))
	}
	full := c.Event == events.EventRefunded && after.Refunded.Cmp(after.Total) >= 0
	if to, err := events.Next(from, c.Event, full); err != nil || to != after.State {
		problems = append(problems, fmt.Sprintf("%s leads from %s to %s (%v), not to %s", c.Event, from, to, err, after.State))
	}
	if c.Event == events.EventPaid && before.ErsReference != "" {
		problems = append(problems, "was paid before")
	}
	return problems
}

// checkKept says what the event changes or forgets of what the events before it recorded.
func checkKept(before, after events.Invoice) (problems []string) {
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if before.InvoiceReference != "" && after.InvoiceReference != before.InvoiceReference {
		report("the provider's invoice %s became %s", before.InvoiceReference, after.InvoiceReference)
	}
	if before.ErsReference != "" && after.ErsReference != before.ErsReference {
		report("the payment %s became %s", before.ErsReference, after.ErsReference)
	}
	if len(after.Receipts) < len(before.Receipts) || len(after.Receipts) > 1 {
		report("%d receipts became %d", len(before.Receipts), len(after.Receipts))
	}
	for _, r := range before.Refunds {
		now, ok := after.Refund(r.RefundID)
		switch {
		case !ok:
			report("refund %s was forgotten", r.RefundID)
		case now.Amount.Cmp(r.Amount) != 0:
			report("refund %s of %s became one of %s", r.RefundID, r.Amount, now.Amount)
		case r.Status == events.RefundDone && now.Status != events.RefundDone:
			report("refund %s was done and became %s", r.RefundID, now.Status)
		case r.Status == events.RefundWaiting && now.Status == events.RefundUnknown:
			report("refund %s was certainly not made, and became unknown", r.RefundID)
		}
	}
	if after.Refunded.Add(after.ReservedForRefunds).Cmp(after.Total) > 0 {
		report("%s refunded and %s reserved for refunds exceed the total of %s", after.Refunded, after.ReservedForRefunds, after.Total)
	}
	return problems
}
