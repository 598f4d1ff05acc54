package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// stranger is a client of a broker without accounts that writes where only workers should.
type stranger struct {
	Invoice string // of this order
	Event   events.Name
	Body    forgery
	Open    bool // on the index of open invoices, and not among the invoice's events
	After   events.Name
	Of      string // whose event it comes after
	Delay   time.Duration
}

// forgery is what a stranger writes.
type forgery string

const (
	junk     forgery = "no JSON"
	empty    forgery = "an empty object"
	renamed  forgery = "the last event under another name"
	pretends forgery = "a late payment, by nobody of ours"
)

func (x stranger) String() string {
	after := "the start"
	if x.After != "" {
		after = x.Of + " " + string(x.After)
	}
	where := "as " + string(x.Event) + " of " + x.Invoice
	if x.Open {
		where = "on the index of open invoices for " + x.Invoice
	}
	return fmt.Sprintf("a stranger writes %s %s, %s after %s", x.Body, where, x.Delay, after)
}

// strangers draws who writes what.
func (d dice) strangers(s *schedule) {
	if !d.chance(25) {
		return
	}
	for range 1 + d.IntN(3) {
		o := s.Orders[d.IntN(len(s.Orders))]
		x := stranger{
			Invoice: o.ID, Of: o.ID, Delay: d.millis(40), Body: pick(d, junk, empty, renamed, pretends),
			Event: pick(d, events.EventPaid, events.EventPaid, events.EventCanceled, events.EventRefundFailed, events.EventOverdue, events.EventIssued),
			After: pick(d, "", events.EventIssued, events.EventPaid, events.EventPaid, events.EventReceipted, events.EventRefunding, events.EventRefunded),
			Open:  d.chance(20),
		}
		if i := slices.IndexFunc(s.Orders, func(t order) bool { return t.Of == o.ID }); i >= 0 && d.chance(70) { // between two payments
			x.Event, x.After, x.Of, x.Delay, x.Open = events.EventPaid, events.EventPaid, s.Orders[i].ID, d.millis(2), false
		}
		if x.Open && x.After == "" {
			x.After = events.EventIssued // an entry without an invoice waits for an hour
		}
		if x.Body == renamed && x.After == "" {
			x.Body = junk
		}
		s.Strangers = append(s.Strangers, x)
	}
}

// intrude has the stranger write, unless what it waits for never happens.
func (w *world) intrude(ctx context.Context, x stranger, o order) {
	if x.After != "" && !w.await(ctx, x.Of, x.After) || !pause(ctx, x.Delay) {
		return
	}
	k := events.KeyOf(o.shop(), o.ID)
	body, err := w.forge(ctx, k, x)
	if err != nil {
		w.fault("forging: %v", err)
		return
	}
	subject := k.Subject(x.Event)
	if x.Open {
		subject = k.Open()
	}
	ack, err := w.js.Publish(ctx, subject, body)
	w.note("%s: %s", x, outcome(err))
	if err != nil || x.Open {
		return // the index takes one entry of an invoice
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.intruded[ack.Sequence] = x
}

func (w *world) forge(ctx context.Context, k events.Key, x stranger) ([]byte, error) {
	switch x.Body {
	case junk:
		return []byte("hello"), nil
	case empty:
		return []byte("{}"), nil
	}
	inv, err := w.hub.Load(ctx, k)
	if err != nil {
		return nil, err
	}
	if x.Body == renamed {
		e, err := events.NewEnvelope("x", events.SourceOf(events.ActorPoller), "invoice."+string(x.Event), k.String(), w.now(), inv.Invoice)
		if err != nil || inv.Change.Event != x.Event {
			return body(e), err
		}
		e.Source = "/elsewhere" // else it is the event that was recorded, once more
		return body(e), nil
	}
	inv.Late, inv.State, inv.Change.Event = true, events.Paid, x.Event
	e, err := events.NewEnvelope("x", "/shop", "invoice."+string(x.Event), k.String(), w.now(), inv.Invoice)
	return body(e), err
}

func body(e events.Envelope) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return b
}

// checkStrangers sees that what strangers wrote was parked once, where a worker had to find it, and nothing else.
func (e *evidence) checkStrangers() {
	times := map[uint64]int{}
	for _, p := range e.parked {
		if p.Worker == foreignWorker {
			times[p.Sequence]++
		}
	}
	for seq, n := range times {
		if x, ok := e.intruded[seq]; !ok || n > 1 {
			e.report("%s: parked as foreign %d times", x, n)
		}
	}
	for seq, x := range e.intruded {
		if taken := x.Event == events.EventPaid || x.Event == events.EventRefundFailed; taken && times[seq] == 0 {
			e.report("%s: never parked", x)
		}
	}
}

// foreignWorker is under whose name the bus parks what no worker has written.
const foreignWorker = "foreign"

// intrusion says that a stranger was there before the first event of the invoice: then a poller may give its entry up, and
// the invoicer puts it back.
func (e *evidence) intrusion(id string) bool {
	h := e.histories[id]
	for seq, x := range e.intruded {
		if x.Invoice == id && (len(h) == 0 || seq < h[0].seq) {
			return true
		}
	}
	return false
}
