package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// foreignWrite is a message that a client which is no worker writes where only workers should: the broker has no accounts here.
type foreignWrite struct {
	Invoice string // the order's
	Event   events.Name
	Body    foreignBody
	Open    bool // on the index of open invoices, and not among the invoice's events
	After   events.Name
	Of      string // whose event it comes after
	Delay   time.Duration
}

// foreignBody is what such a message contains.
type foreignBody string

const (
	junk     foreignBody = "no JSON"
	empty    foreignBody = "an empty object"
	renamed  foreignBody = "the last event under another name"
	fakePaid foreignBody = "a late payment that no worker recorded"
)

func (x foreignWrite) String() string {
	after := "the start"
	if x.After != "" {
		after = x.Of + " " + string(x.After)
	}
	where := "as " + string(x.Event) + " of " + x.Invoice
	if x.Open {
		where = "on the index of open invoices for " + x.Invoice
	}
	return fmt.Sprintf("a foreign client writes %s %s, %s after %s", x.Body, where, x.Delay, after)
}

// foreignWrites draws the foreign messages.
func (d draws) foreignWrites(s *schedule) {
	if !d.chance(25) {
		return
	}
	for range 1 + d.IntN(3) {
		o := s.Orders[d.IntN(len(s.Orders))]
		x := foreignWrite{
			Invoice: o.ID, Of: o.ID, Delay: d.millis(40), Body: pick(d, junk, empty, renamed, fakePaid),
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
		s.ForeignWrites = append(s.ForeignWrites, x)
	}
}

// writeForeign writes the message, unless what it waits for never happens.
func (sim *simulation) writeForeign(ctx context.Context, x foreignWrite, o order) {
	if x.After != "" && !sim.waitForEvent(ctx, x.Of, x.After) || !pause(ctx, x.Delay) {
		return
	}
	k := events.KeyOf(o.shop(), o.ID)
	body, err := sim.foreignMessage(ctx, k, x)
	if err != nil {
		sim.failf("foreign message: %v", err)
		return
	}
	subject := k.Subject(x.Event)
	if x.Open {
		subject = k.Open()
	}
	ack, err := sim.js.Publish(ctx, subject, body)
	sim.logf("%s: %s", x, outcome(err))
	if err != nil || x.Open {
		return // the index takes one entry of an invoice
	}
	sim.mu.Lock()
	defer sim.mu.Unlock()
	sim.foreign[ack.Sequence] = x
}

func (sim *simulation) foreignMessage(ctx context.Context, k events.Key, x foreignWrite) ([]byte, error) {
	switch x.Body {
	case junk:
		return []byte("hello"), nil
	case empty:
		return []byte("{}"), nil
	}
	inv, err := sim.bus.Load(ctx, k)
	if err != nil {
		return nil, err
	}
	if x.Body == renamed {
		e, err := events.NewEnvelope("x", events.SourceOf(events.ActorPoller), "invoice."+string(x.Event), k.String(), sim.now(), inv.Invoice)
		if err != nil || inv.Change.Event != x.Event {
			return body(e), err
		}
		e.Source = "/elsewhere" // else it is the event that was recorded, once more
		return body(e), nil
	}
	inv.Late, inv.State, inv.Change.Event = true, events.Paid, x.Event
	e, err := events.NewEnvelope("x", "/shop", "invoice."+string(x.Event), k.String(), sim.now(), inv.Invoice)
	return body(e), err
}

func body(e events.Envelope) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return b
}

// checkForeign checks that each foreign message that a worker had to find was parked once, and no other message was parked as foreign.
func (e *evidence) checkForeign() {
	times := map[uint64]int{}
	for _, p := range e.parked {
		if p.Worker == foreignWorker {
			times[p.Sequence]++
		}
	}
	for seq, n := range times {
		if x, ok := e.foreign[seq]; !ok || n > 1 {
			e.report("%s: parked as foreign %d times", x, n)
		}
	}
	for seq, x := range e.foreign {
		if taken := x.Event == events.EventPaid || x.Event == events.EventRefundFailed; taken && times[seq] == 0 {
			e.report("%s: never parked", x)
		}
	}
}

// foreignWorker is the name under which the bus parks what no worker has written.
const foreignWorker = "foreign"

// foreignFirst says that a foreign message was there before the first event of the invoice. Then a poller may give its entry up, and
// the invoicer puts it back.
func (e *evidence) foreignFirst(k events.Key) bool {
	all := e.history.Events[k]
	for seq, x := range e.foreign {
		if x.Invoice == k.Invoice && (len(all) == 0 || seq < all[0].Seq) {
			return true
		}
	}
	return false
}
