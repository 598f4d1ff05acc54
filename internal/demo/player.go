package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// player plays the shops and the buyers. It gets one event after another, so it needs no lock.
type player struct {
	ctx   context.Context
	stack *app.Stack
	cfg   Config

	scenarios []*scenario
	byKey     map[events.Key][]*scenario
	waiting   map[events.Key][]step // steps that wait for an event of the invoice
	shown     bool                  // the first invoice that is paid at once was given to Config.Issued

	ended  map[*scenario]bool
	late   []*latePayment
	parked []events.Parked
	err    error // of publishing the first events
}

// latePayment is an invoice that was scanned and is not paid yet.
type latePayment struct {
	after     int    // it is paid when this many scenarios have ended
	reference string // "" once it is paid
}

// lateSpread is among how many of the last other orders the late payments fall.
const lateSpread = 4

func newPlayer(ctx context.Context, stack *app.Stack, scenarios []*scenario, cfg Config) *player {
	p := &player{ctx: ctx, stack: stack, cfg: cfg, scenarios: scenarios,
		byKey: map[events.Key][]*scenario{}, waiting: map[events.Key][]step{}, ended: map[*scenario]bool{}}
	if cfg.Orders == nil { // a file is played in its own order
		rnd := rand.New(rand.NewPCG(cfg.Seed, 0x5e9f10))
		rnd.Shuffle(len(scenarios), func(i, j int) { scenarios[i], scenarios[j] = scenarios[j], scenarios[i] })
		prompt := 0
		for _, s := range scenarios {
			if s.buyer != paysLate {
				prompt++
			}
		}
		for _, s := range scenarios {
			s.late = prompt - rnd.IntN(min(prompt, lateSpread))
		}
	}
	for _, s := range scenarios {
		if s.web == nil {
			p.byKey[s.key] = append(p.byKey[s.key], s)
		}
		for _, st := range s.steps {
			if st.on != "" {
				p.waiting[st.of] = append(p.waiting[st.of], st)
			}
		}
	}
	return p
}

// publishFirst publishes what waits for no event, and places the orders of shops with a system of their own.
func (p *player) publishFirst() {
	for _, s := range p.scenarios {
		if s.web != nil {
			s.web.id = s.web.place()
			s.order = strconv.FormatInt(s.web.id, 10)
			s.key, s.name = events.KeyOf(s.shop, s.order), s.shop+"/"+s.order
			p.byKey[s.key] = append(p.byKey[s.key], s)
		}
		for _, st := range s.steps {
			if st.on == "" && p.err == nil {
				p.err = p.publish(st)
			}
		}
	}
}

func (p *player) publish(s step) error {
	return p.stack.Bus.PublishRaw(p.ctx, s.subject, "", s.body)
}

// onMessage shows a message of any stream and does what waited for it. It returns bus.ErrStop once every scenario has ended.
func (p *player) onMessage(e bus.Entry) error {
	if p.err != nil {
		return p.err
	}
	if p.cfg.Event != nil && !isSkipped(e) {
		p.cfg.Event(e)
	}
	var err error
	switch e.Stream {
	case events.InvoicesStream:
		err = p.onInvoice(e)
	case events.ParkedStream:
		err = p.onParked(e)
	case events.DeliveriesStream:
		err = p.onDelivery(e)
	}
	if err == nil {
		err = p.payLate()
	}
	if err == nil && len(p.ended) == len(p.scenarios) {
		return bus.ErrStop
	}
	return err
}

// isSkipped says whether a message says only that a shop's system need not be told of an event.
func isSkipped(e bus.Entry) bool {
	d, err := events.DecodeDelivery(e.Body)
	return e.Stream == events.DeliveriesStream && err == nil && d.Status == events.DeliverySkipped
}

func (p *player) onInvoice(e bus.Entry) error {
	inv, err := events.DecodeInvoice(e.Body)
	if err != nil {
		return err
	}
	event := string(inv.Change.Event)
	for _, st := range p.waiting[inv.Key()] {
		if st.on == event || st.on == event+":"+inv.Change.RefundID {
			if err := p.publish(st); err != nil {
				return err
			}
		}
	}
	for _, s := range p.byKey[inv.Key()] {
		if inv.Change.Event == events.EventIssued {
			if err := p.buy(s, inv); err != nil {
				return err
			}
		}
		s.settled = s.endsAs(inv)
		p.end(s)
	}
	return nil
}

// end notes that a scenario has ended, if its invoice has, and its shop's own system knows.
func (p *player) end(s *scenario) {
	if s.settled && (s.web == nil || s.told) {
		p.ended[s] = true
	}
}

// onDelivery notes that a shop's own system was told of a payment.
func (p *player) onDelivery(e bus.Entry) error {
	d, err := events.DecodeDelivery(e.Body)
	if err != nil {
		return err
	}
	for _, s := range p.byKey[d.Key()] {
		s.told = s.told || d.Event == events.EventPaid && d.Status == events.DeliveryDelivered
		p.end(s)
	}
	return nil
}

// buy does what the scenario's buyer does with an issued invoice.
func (p *player) buy(s *scenario, inv events.Invoice) error {
	if s.buyer == pays && !p.shown {
		p.shown = true
		if p.cfg.Issued != nil {
			p.cfg.Issued(inv)
		}
	}
	var err error
	switch s.buyer {
	case pays:
		err = p.stack.Sandbox.Pay(inv.InvoiceReference)
	case declines:
		err = p.stack.Sandbox.Decline(inv.InvoiceReference)
	case fails:
		err = p.stack.Sandbox.Fail(inv.InvoiceReference)
	case paysLate:
		p.late = append(p.late, &latePayment{s.late, inv.InvoiceReference})
		err = p.stack.Sandbox.Scan(inv.InvoiceReference)
	}
	if err != nil {
		return fmt.Errorf("the buyer of %s: %w", s.name, err)
	}
	return nil
}

// payLate pays the late payments for which enough scenarios have ended.
func (p *player) payLate() error {
	for _, l := range p.late {
		if l.after > len(p.ended) || l.reference == "" {
			continue
		}
		if err := p.stack.Sandbox.Pay(l.reference); err != nil {
			return fmt.Errorf("a late payment: %w", err)
		}
		l.reference = ""
	}
	return nil
}

func (p *player) onParked(e bus.Entry) error {
	parked, _, err := events.DecodeParked(e.Body)
	if err != nil {
		return err
	}
	p.parked = append(p.parked, parked)
	a, err := events.ParseSubject(parked.Subject)
	if err != nil {
		return nil // no scenario has such a subject: the result names it as unexpected
	}
	if i := slices.IndexFunc(p.byKey[a.Key()], func(s *scenario) bool { return s.malformed() && !p.ended[s] }); i >= 0 {
		p.ended[p.byKey[a.Key()][i]] = true
	}
	return nil
}
