package demo

import (
	"errors"
	"fmt"
	"io"

	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// fromFile makes a scenario of each order in a file of order events: everything is published in the file's order, and buyers pay
// at once. What the workers cannot read has to be parked.
func fromFile(r io.Reader) ([]*scenario, error) {
	evs, err := orderfile.Read(r, events.Placed)
	if err != nil {
		return nil, err
	}
	if len(evs) == 0 {
		return nil, errors.New("the file of orders: there is no order in it")
	}
	var out []*scenario
	orders := map[events.Key]*fileOrder{}
	for _, e := range evs {
		s := &scenario{key: e.Key(), name: e.Shop + "/" + e.Invoice, shop: e.Shop, order: e.Order, steps: []step{{subject: e.Subject(), body: e.Body}}}
		if err := e.Check(); err != nil {
			s.about, s.ends = err.Error(), []events.State{parkedEnd}
			out = append(out, s)
			continue
		}
		o := orders[e.Key()]
		if o == nil {
			o = &fileOrder{scenario: s}
			orders[e.Key()], out = o, append(out, s)
		} else {
			o.scenario.steps = append(o.scenario.steps, s.steps...)
		}
		o.line = e.Line
		switch e.Name {
		case events.Placed:
			o.placed = true
		case events.OrderCanceled:
			o.canceled = true
		case events.Returned:
			o.refunds = append(o.refunds, orderfile.Glance(e.Subject(), e.Body).RefundID)
		}
	}
	for _, o := range orders {
		if err := o.setEnd(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fileOrder is what a file says of one order.
type fileOrder struct {
	scenario         *scenario
	placed, canceled bool
	refunds          []string
	line             int // of the last event
}

// setEnd sets how the order has to end. Whether a cancellation or the payment comes first is open.
func (o *fileOrder) setEnd() error {
	s := o.scenario
	switch {
	case len(o.refunds) > 0 && (o.canceled || !o.placed):
		return fmt.Errorf("line %d: %s is returned, and it is %s: what follows is not certain, so the demo can't check it",
			o.line, s.name, map[bool]string{true: "canceled too", false: "not placed"}[o.canceled])
	case !o.placed:
		s.about, s.ends = "canceled, never placed", []events.State{events.Canceled}
	case o.canceled:
		s.about, s.buyer, s.ends = "paid and canceled", pays, []events.State{events.Canceled, events.Refunded}
	case len(o.refunds) > 0:
		s.about, s.buyer, s.ends = "paid and returned", pays, []events.State{events.Receipted, events.Refunded}
		s.refunds = map[string]events.RefundStatus{}
		for _, id := range o.refunds {
			s.refunds[id] = ""
		}
	default:
		s.about, s.buyer, s.ends = "paid", pays, []events.State{events.Receipted}
	}
	return nil
}
