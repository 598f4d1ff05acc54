package demo

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// What a buyer does once there is an invoice. With any other word the buyer does nothing.
const (
	pays     = "pays"
	paysLate = "pays late" // scans at once, and pays when other orders have ended
	declines = "declines"
	fails    = "fails" // pays, and the payment does not go through
)

// parkedEnd is the end of an order that no worker can read.
const parkedEnd events.State = "PARKED"

// scenario is one order, or one of several tries at paying an order: what the buyer and the shop do, and how it has to end.
type scenario struct {
	about   string
	key     events.Key // of the invoice
	name    string     // shop/invoice as people write them
	shop    string
	order   string
	buyer   string
	steps   []step
	ends    []events.State                 // any of these
	refunds map[string]events.RefundStatus // by refundId; "" is any that is settled
	web     *webOrder                      // of an order in a shop's own system, whose ids are known once it is placed
	late    int                            // how many scenarios have ended when a late buyer pays

	settled bool // its invoice has ended so
	told    bool // the shop's own system was told of the payment
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

// line is a scenario as a line of the built-in file has it.
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

// builtIn reads the scenarios that come with the program.
func builtIn() ([]*scenario, error) {
	var out []*scenario
	for i, text := range bytes.Split(bytes.TrimSpace(sample), []byte("\n")) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("built-in orders, line %d: %w", i+1, err)
		}
		s, err := l.scenario()
		if err != nil {
			return nil, fmt.Errorf("built-in orders, line %d: %w", i+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func (l line) scenario() (*scenario, error) {
	e := orderfile.Event{Name: events.Placed, Shop: l.ShopID, Order: l.OrderID, Invoice: l.OrderID, Body: []byte(l.Text)}
	if l.Text == "" {
		var err error
		if e, err = orderfile.Parse(l.Order, events.Placed); err != nil {
			return nil, err
		}
	}
	s := &scenario{about: l.About, key: e.Key(), name: e.Shop + "/" + e.Invoice, shop: e.Shop, order: e.Order, buyer: l.Buyer, ends: []events.State{l.Ends}, refunds: l.Refunds}
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

// endsAs says whether the scenario has ended with this invoice: its state is an expected one, and every refund is settled as expected.
func (s *scenario) endsAs(inv events.Invoice) bool {
	if !slices.Contains(s.ends, inv.State) {
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

func (s *scenario) malformed() bool { return s.ends[0] == parkedEnd }

// expected describes the end.
func (s *scenario) expected() string {
	var words []string
	for _, e := range s.ends {
		words = append(words, string(e))
	}
	text := strings.Join(words, " or ") + " (" + s.about + ")"
	for id, want := range s.refunds {
		text += fmt.Sprintf(", refund %s %s", id, cmp.Or(want, "settled"))
	}
	return text
}
