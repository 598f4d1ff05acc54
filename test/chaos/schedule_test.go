package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// schedule says what the shops publish, what the buyers do, what goes wrong at the provider and where the workers are
// interrupted. It is data, so that it can be printed and made smaller.
type schedule struct {
	Seed          uint64
	Copies        int // of each worker
	Orders        []order
	Faults        []fault
	Interruptions []interruption
	LateAcks      []lateAck

	ForeignWrites []foreignWrite
	Losses        []loss
	Silence       *silence
	Narrow        bool          // the second copy of each worker lacks the other shop's credentials
	Replace       time.Duration // when the first shop's terminal is replaced; 0 is never
	Destinations  []destination
}

// order is one order, or another try at paying one, with its buyer and everything that the shop publishes about it.
type order struct {
	ID        string // of the invoice
	Of        string // the order that this is another try of
	Other     bool   // it is of otherShop
	ReusesIDs bool   // its messages have ids that other messages have used
	Ore       int    // the total in hundredths
	Buyer     buyer
	Messages  []message
}

// buyer says what the buyer of an order does once its invoice is issued.
type buyer string

const (
	pays       buyer = "pays"
	declines   buyer = "declines"
	stays      buyer = "never comes"
	late       buyer = "pays when the time is over"
	hesitates  buyer = "opens the PIN dialog and then pays"
	withdraws  buyer = "opens the PIN dialog and goes away"
	onCancel   buyer = "pays while being canceled"
	afterwards buyer = "pays after the invoice was recorded as canceled"
	unpolled   buyer = "pays while no poller runs for longer than a reversal takes"
)

// message is one order event. It is published a while after an event of the invoice; when that event
// never comes, at the end.
type message struct {
	Name     events.OrderName
	RefundID string
	Ore      int  // of a return; 0 asks for all that is left
	Whole    bool // of a cancellation of another try: of the whole order
	After    events.Name
	Delay    time.Duration
	Twice    bool
}

// fault is one of the provider. With Unreachable the call fails before anything is sent.
type fault struct {
	Op          string
	Unreachable bool
	sandbox.Fault
}

// boundary is a point in a worker's work at which it may be interrupted.
type boundary string

const (
	beforeCall   boundary = "before the call"
	afterCall    boundary = "after the call"
	beforeAppend boundary = "before the append"
	duringAppend boundary = "in the append" // written, and the answer is never read
	beforeAck    boundary = "before the ack"
	duringAck    boundary = "in the ack"
)

// interruption of a worker, the Nth time that any copy of it reaches the boundary. It crashes; with Blip it only loses the
// broker for that time.
type interruption struct {
	Worker string
	At     boundary
	Nth    int
	Blip   time.Duration
}

func (s schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %d of each worker\n", s.Seed, s.Copies)
	for _, o := range s.Orders {
		fmt.Fprintf(&b, "  %s, whose buyer %s\n", o.head(), o.Buyer)
		for _, m := range o.Messages {
			fmt.Fprintf(&b, "    %s\n", m)
		}
	}
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "  fault: %s\n", f)
	}
	for _, d := range s.Interruptions {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	for _, x := range s.LateAcks {
		fmt.Fprintf(&b, "  %s\n", x)
	}
	for _, x := range s.ForeignWrites {
		fmt.Fprintf(&b, "  %s\n", x)
	}
	for _, l := range s.Losses {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	if s.Silence != nil {
		fmt.Fprintf(&b, "  %s\n", s.Silence)
	}
	for _, x := range s.Destinations {
		fmt.Fprintf(&b, "  %s\n", x)
	}
	if s.Narrow {
		fmt.Fprintf(&b, "  the second copies lack the credentials of %s\n", otherShop)
	}
	if s.Replace > 0 {
		fmt.Fprintf(&b, "  the first shop's terminal is replaced after %s\n", s.Replace)
	}
	return b.String()
}

func (m message) String() string {
	text := string(m.Name)
	if m.Name == events.Returned {
		text += " " + m.RefundID + " of all that is left"
		if m.Ore > 0 {
			text = fmt.Sprintf("%s %s of %s", m.Name, m.RefundID, kronor(m.Ore))
		}
	}
	if m.Whole {
		text += " as a whole"
	}
	if m.Twice {
		text += ", twice"
	}
	after := "the start"
	if m.After != "" {
		after = string(m.After)
	}
	return fmt.Sprintf("%s, %s after %s", text, m.Delay, after)
}

func (f fault) String() string {
	kind := string(f.Kind)
	if f.Unreachable {
		kind = "unreachable"
	}
	if f.Code != 0 {
		kind += fmt.Sprintf(" %d", f.Code)
	}
	if f.Delay != 0 {
		kind += " " + f.Delay.String()
	}
	return fmt.Sprintf("%s: %s, %d times after %d calls", f.Op, kind, f.Count, f.Skip)
}

func (d interruption) String() string {
	what := "crashes"
	if d.Blip > 0 {
		what = "loses the broker for " + d.Blip.String()
	}
	return fmt.Sprintf("%s %s %s, time %d", d.Worker, what, d.At, d.Nth)
}

func kronor(ore int) string { return fmt.Sprintf("%d.%02d", ore/100, ore%100) }

// has says whether the shop publishes such an event of the order.
func (o order) has(name events.OrderName) bool {
	for _, m := range o.Messages {
		if m.Name == name {
			return true
		}
	}
	return false
}

// expectsReversals says that the schedule has a payment reversed.
func (s schedule) expectsReversals() bool {
	for _, o := range s.Orders {
		if o.Buyer == unpolled {
			return true
		}
	}
	return false
}
