package demo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// What a buyer does once there is an invoice.
const (
	pays     = "pays"
	dawdles  = "dawdles" // scans at once, pays when some of the others are through
	declines = "declines"
	fails    = "fails" // the buyer pays, and the payment does not go through
)

// parkedEnd is the end of an order that no worker can read.
const parkedEnd events.State = "PARKED"

// story is one order: what it is, what the buyer and the shop do, and how it has to end.
type story struct {
	about   string
	key     events.Key
	name    string // shop/invoice as people write them
	shop    string
	order   string // several tries at paying one order are several scenarios
	buyer   string
	steps   []step
	ends    []events.State                 // any of these
	refunds map[string]events.RefundStatus // by refundId; "" is any that is settled
	late    int                            // a dawdler pays when so many others have ended
}

// step is what the shop publishes, and on which event of which invoice; "" is at once.
type step struct {
	on      string
	of      events.Key
	subject string
	body    []byte
}

//go:embed orders.ndjson
var sample []byte

// line is the form of a story in the built-in file.
type line struct {
	About   string                         `json:"about"`
	Buyer   string                         `json:"buyer"`
	Ends    events.State                   `json:"ends"`
	Order   json.RawMessage                `json:"order"`
	Shop    []act                          `json:"shop"`
	Refunds map[string]events.RefundStatus `json:"refunds"`

	Text    string `json:"text"` // a body that is not JSON, with the ids that its subject has
	ShopID  string `json:"shopId"`
	OrderID string `json:"orderId"`
}

// act is what the shop does after it has placed the order.
type act struct {
	On       string           `json:"on"`
	Of       string           `json:"of"` // the invoice; the scenario's own unless given
	Do       events.OrderName `json:"do"`
	RefundID string           `json:"refundId"`
	Amount   string           `json:"amount"`
	Reason   string           `json:"reason"`
}

// builtIn reads the stories that come with the program.
func builtIn() ([]*story, error) {
	var out []*story
	for i, text := range bytes.Split(bytes.TrimSpace(sample), []byte("\n")) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("built-in orders, line %d: %w", i+1, err)
		}
		s, err := l.story()
		if err != nil {
			return nil, fmt.Errorf("built-in orders, line %d: %w", i+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func (l line) story() (*story, error) {
	e := orderfile.Event{Name: events.Placed, Shop: l.ShopID, Order: l.OrderID, Invoice: l.OrderID, Body: []byte(l.Text)}
	if l.Text == "" {
		var err error
		if e, err = orderfile.Parse(l.Order, events.Placed); err != nil {
			return nil, err
		}
	}
	s := &story{about: l.About, key: e.Key(), name: e.Shop + "/" + e.Invoice, shop: e.Shop, order: e.Order, buyer: l.Buyer, ends: []events.State{l.Ends}, refunds: l.Refunds}
	placed := step{subject: e.Subject(), body: e.Body}
	if !slices.ContainsFunc(l.Shop, func(a act) bool { return a.Do == events.Placed }) {
		s.steps = append(s.steps, placed)
	}
	for _, a := range l.Shop {
		of := e.Key()
		if a.Of != "" {
			of = events.KeyOf(e.Shop, a.Of)
		}
		if a.Do == events.Placed {
			placed.on, placed.of = a.On, of
			s.steps = append(s.steps, placed)
			continue
		}
		body, err := json.Marshal(struct {
			OrderID  string `json:"orderId"`
			Shop     string `json:"shop"`
			RefundID string `json:"refundId,omitempty"`
			Amount   string `json:"amount,omitempty"`
			Reason   string `json:"reason,omitempty"`
		}{e.Order, e.Shop, a.RefundID, a.Amount, a.Reason})
		if err != nil {
			return nil, err
		}
		s.steps = append(s.steps, step{a.On, of, events.OrderSubject(e.Shop, e.Order, a.Do), body})
	}
	return s, nil
}

// ended says whether the invoice is where the story ends, with every refund settled as told.
func (s *story) ended(inv events.Invoice) bool {
	fits := false
	for _, want := range s.ends {
		fits = fits || inv.State == want
	}
	if !fits {
		return false
	}
	for id, want := range s.refunds {
		if r, ok := inv.Refund(id); !ok || want != "" && r.Status != want || r.SettledAt == nil {
			return false
		}
	}
	_, open := inv.InFlight()
	return !open
}

func (s *story) malformed() bool { return s.ends[0] == parkedEnd }

// expected is the end in words.
func (s *story) expected() string {
	var words []string
	for _, e := range s.ends {
		words = append(words, string(e))
	}
	text := strings.Join(words, " or ") + " (" + s.about + ")"
	for id, want := range s.refunds {
		text += fmt.Sprintf(", refund %s %s", id, orSettled(want))
	}
	return text
}

func orSettled(s events.RefundStatus) string {
	if s == "" {
		return "settled"
	}
	return string(s)
}
