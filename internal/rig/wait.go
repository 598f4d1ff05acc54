package rig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// Wait waits for an event of an invoice, past or to come, and gives the invoice after it.
func (r *Rig) Wait(id string, e events.Name) events.Invoice {
	r.T.Helper()
	return r.WaitFor(id, e, func(events.Invoice) bool { return true })
}

// WaitFor waits for an event of an invoice that fits, and gives the invoice after it.
func (r *Rig) WaitFor(id string, e events.Name, fits func(events.Invoice) bool) (found events.Invoice) {
	r.T.Helper()
	r.waitForMessage(events.KeyOf(Shop, id).Subject(e), func(m bus.Entry) (bool, error) {
		var err error
		found, err = events.DecodeInvoice(m.Body)
		return err == nil && fits(found), err
	})
	return found
}

// WaitRecorded waits until the last event of an invoice that a worker wrote is the given one, whatever else is under the invoice's
// subjects, and gives the invoice after it.
func (r *Rig) WaitRecorded(id string, e events.Name) (found events.Invoice) {
	r.T.Helper()
	k := events.KeyOf(Shop, id)
	r.waitForMessage(k.All(), func(bus.Entry) (bool, error) {
		l, err := r.Bus.Load(r.T.Context(), k)
		found = l.Invoice
		return found.Change.Event == e, err
	})
	return found
}

// WaitParked waits until the worker parks a message about the invoice or order, and gives the parked message.
func (r *Rig) WaitParked(worker, id string) (found events.Parked) {
	r.T.Helper()
	r.waitForMessage(events.ParkedSubject(worker, Shop, id), func(m bus.Entry) (bool, error) {
		var event string
		var err error
		found, event, err = events.DecodeParked(m.Body)
		return event == events.ParkedParked, err
	})
	return found
}

// First waits for the first message on a subject, past or to come, and gives its body.
func (r *Rig) First(subject string) (body []byte) {
	r.T.Helper()
	r.waitForMessage(subject, func(m bus.Entry) (bool, error) {
		body = m.Body
		return true, nil
	})
	return body
}

// streams of the subjects, by their first token.
var streams = map[string]string{"orders": events.OrdersStream, "invoices": events.InvoicesStream, "parked": events.ParkedStream,
	"periods": events.PeriodsStream, "open": events.OpenStream, "deliveries": events.DeliveriesStream}

// waitForMessage follows the subject from its first message until one fits.
func (r *Rig) waitForMessage(subject string, fits func(bus.Entry) (bool, error)) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.T.Context(), Patience)
	defer cancel()
	kind, _, _ := strings.Cut(subject, ".")
	err := r.Bus.Follow(ctx, []bus.Source{{Stream: streams[kind], Filters: []string{subject}, All: true}}, nil, func(e bus.Entry) error {
		if ok, err := fits(e); !ok || err != nil {
			return err
		}
		return bus.ErrStop
	})
	if err = errors.Join(err, ctx.Err()); err != nil {
		r.T.Fatalf("no %s within %s: %v\n%s", subject, Patience, err, r.describe())
	}
}

// Idle waits until every consumer of the broker has received and acknowledged everything.
func (r *Rig) Idle() { r.T.Helper(); r.IdleBut("") }

// IdleBut is Idle for all consumers but one, whose worker does not run.
func (r *Rig) IdleBut(consumer string) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if busy := Until(ctx, func(ctx context.Context) string { return Busy(ctx, r.JetStream(), consumer) }); busy != "" {
		r.T.Fatalf("not idle within %s: %s\n%s", Patience, busy, r.describe())
	}
}

const (
	askAgain = 25 * time.Millisecond
	// answerTime is how long one question may take: a cluster without a leader does not answer at all.
	answerTime = 3 * time.Second
)

// Until waits for something that has no signal: it asks for what is missing until the answer is "". It gives the last answer when ctx
// ends before. Each question has at most 3 s.
func Until(ctx context.Context, ask func(context.Context) string) (missing string) {
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		question, cancel := context.WithTimeout(ctx, answerTime)
		missing = ask(question)
		if cancel(); missing == "" {
			return ""
		}
		select {
		case <-ctx.Done():
			return missing
		case <-tick.C:
		}
	}
}

// Busy describes the workers' consumers that have not received and acknowledged everything; it is "" when all have. Those that are
// named are left out. Each consumer is asked for by its name: a cluster's list leaves out, without a word, a consumer whose leader
// does not answer. A message that comes while they are asked may have made one busy that was not: then it says so.
func Busy(ctx context.Context, js jetstream.JetStream, except ...string) (busy string) {
	last := map[string]uint64{}
	for _, stream := range streams {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return fmt.Sprintf("stream %s: %v", stream, err)
		}
		last[stream] = s.CachedInfo().State.LastSeq
	}
	for _, stream := range streams {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return fmt.Sprintf("stream %s: %v", stream, err)
		}
		names := s.ConsumerNames(ctx)
		for name := range names.Name() { // to its end, else its goroutine stays
			c, err := s.Consumer(ctx, name)
			switch {
			case err == nil:
				busy += unfinished(c.CachedInfo(), except)
			case !errors.Is(err, jetstream.ErrConsumerNotFound): // that of a reader which has ended
				busy += fmt.Sprintf("%s on %s: %v; ", name, stream, err)
			}
		}
		if err := names.Err(); err != nil {
			return fmt.Sprintf("consumers of %s: %v", stream, err)
		}
	}
	for _, stream := range streams {
		switch s, err := js.Stream(ctx, stream); {
		case err != nil:
			return fmt.Sprintf("stream %s: %v", stream, err)
		case s.CachedInfo().State.LastSeq != last[stream]:
			busy += fmt.Sprintf("a message came on %s; ", stream)
		}
	}
	return busy
}

func unfinished(c *jetstream.ConsumerInfo, except []string) string {
	if c.Config.Durable == "" || c.NumPending == 0 && c.NumAckPending == 0 || slices.Contains(except, c.Config.Durable) {
		return ""
	}
	return fmt.Sprintf("%s on %s: %d to receive, %d to acknowledge; ", c.Name, c.Stream, c.NumPending, c.NumAckPending)
}

// describe lists every order event, invoice event and parked message for a test that fails.
func (r *Rig) describe() (text string) {
	for _, stream := range []string{events.OrdersStream, events.InvoicesStream, events.ParkedStream} {
		if _, err := r.Bus.Scan(context.Background(), bus.Scan{Stream: stream}, func(e bus.Entry) error {
			text += fmt.Sprintf("%s %s %.300s\n", e.Time.Format("15:04:05.000"), e.Subject, e.Body)
			return nil
		}); err != nil {
			text += fmt.Sprintf("%s: %v\n", stream, err)
		}
	}
	return text
}
