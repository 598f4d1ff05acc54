package commerce

import (
	"errors"
	"fmt"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// Check reads the event as the workers will. Where they would not accept it, the error is a [Refusal] of the field that source
// gives for the event's own field, such as "rows[2].total".
func (e Event) Check(shop string, source func(path string) string) error {
	body, err := events.Encode(e.Data)
	if err != nil {
		return &Refusal{Order: e.Order, Expected: err.Error()}
	}
	m := events.Message{Subject: events.OrderSubject(shop, e.Order, e.Name), Body: body}
	_, err = Decode(e.Name, m)
	if err == nil {
		return nil
	}
	return RefusalOf(e.Order, err, source)
}

// Decode reads a message that has an order event of that name as the workers will.
func Decode(name events.OrderName, m events.Message) (Event, error) {
	switch name {
	case events.Placed:
		o, err := events.DecodeOrder(m)
		return Placed(o), err
	case events.OrderCanceled:
		c, err := events.DecodeCancellation(m)
		return Canceled(c), err
	case events.Returned:
		r, err := events.DecodeReturn(m)
		return Returned(r), err
	}
	return Event{}, fmt.Errorf("an order has no event %q", name)
}

// RefusalOf makes one refusal of what the contract of order events says against an event; source gives the field's name in the
// request.
func RefusalOf(order string, err error, source func(path string) string) *Refusal {
	var problems events.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		return &Refusal{Order: order, Expected: err.Error()}
	}
	first := &Refusal{Order: order, Field: source(problems[0].Path), Expected: problems[0].Expected}
	for i, p := range problems[1:] {
		if i == maxMoreProblems {
			first.Expected += fmt.Sprintf("; and %d more", len(problems)-1-i)
			break
		}
		first.Expected += "; " + source(p.Path) + ": " + p.Expected
	}
	return first
}

// maxMoreProblems is how many problems a refusal names beside the first.
const maxMoreProblems = 4
