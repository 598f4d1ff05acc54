package demo

import (
	"errors"
	"fmt"
	"io"

	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// fromFile makes stories of order events: everything is published in the file's order, and buyers pay
// at once. What the workers cannot read has to end parked.
func fromFile(r io.Reader) ([]*story, error) {
	evs, err := orderfile.Read(r, events.Placed)
	if err != nil {
		return nil, err
	}
	if len(evs) == 0 {
		return nil, errors.New("there is no order in it")
	}
	var out []*story
	said := map[events.Key]*told{}
	for _, e := range evs {
		s := &story{key: e.Key(), name: e.Shop + "/" + e.Invoice, shop: e.Shop, order: e.Order, steps: []step{{subject: e.Subject(), body: e.Body}}}
		if err := e.Check(); err != nil {
			s.about, s.ends = err.Error(), []events.State{parkedEnd}
			out = append(out, s)
			continue
		}
		t := said[e.Key()]
		if t == nil {
			t = &told{story: s}
			said[e.Key()], out = t, append(out, s)
		} else {
			t.story.steps = append(t.story.steps, s.steps...)
		}
		t.add(e)
	}
	for _, t := range said {
		if err := t.conclude(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// told is what a file says of one order.
type told struct {
	story            *story
	placed, canceled bool
	refunds          []string
	line             int
}

func (t *told) add(e orderfile.Event) {
	t.line = e.Line
	switch e.Name {
	case events.Placed:
		t.placed = true
	case events.OrderCanceled:
		t.canceled = true
	case events.Returned:
		t.refunds = append(t.refunds, e.RefundID())
	}
}

// conclude says how the order has to end. Whether a cancellation or the payment comes first is open.
func (t *told) conclude() error {
	s := t.story
	switch {
	case len(t.refunds) > 0 && (t.canceled || !t.placed):
		return fmt.Errorf("line %d: %s is returned, and it is %s: what follows is not certain, so the demo can't check it",
			t.line, s.name, map[bool]string{true: "canceled too", false: "not placed"}[t.canceled])
	case !t.placed:
		s.about, s.ends = "canceled, never placed", []events.State{events.Canceled}
	case t.canceled:
		s.about, s.buyer, s.ends = "paid and canceled", pays, []events.State{events.Canceled, events.Refunded}
	case len(t.refunds) > 0:
		s.about, s.buyer, s.ends = "paid and returned", pays, []events.State{events.Receipted, events.Refunded}
		s.refunds = map[string]events.RefundStatus{}
		for _, id := range t.refunds {
			s.refunds[id] = ""
		}
	default:
		s.about, s.buyer, s.ends = "paid", pays, []events.State{events.Receipted}
	}
	return nil
}
