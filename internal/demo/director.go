package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// director gives buyers and shops their cues. It hears one event after another, so it needs no lock.
type director struct {
	ctx   context.Context
	stack *app.Stack
	cfg   Config

	stories []*story
	byKey   map[events.Key][]*story
	cues    map[events.Key][]step // steps that wait for an event of the invoice
	first   bool                  // an invoice was issued that will be paid

	over    map[*story]bool
	waiting []*debt // buyers who pay late
	parked  []events.Parked
	err     error // of what was to be done before there was an event
}

// debt is an invoice that a dawdling buyer has scanned.
type debt struct {
	after     int // pays when so many orders have ended
	reference string
}

// lateSpread is among how many of the last prompt orders the late payments fall.
const lateSpread = 4

func newDirector(ctx context.Context, stack *app.Stack, stories []*story, cfg Config) *director {
	d := &director{ctx: ctx, stack: stack, cfg: cfg, stories: stories, byKey: map[events.Key][]*story{}, cues: map[events.Key][]step{}, over: map[*story]bool{}}
	if cfg.Orders == nil { // a file is played as it is written
		rnd := random(cfg.Seed)
		rnd.Shuffle(len(stories), func(i, j int) { stories[i], stories[j] = stories[j], stories[i] })
		prompt := len(stories) - len(slices.DeleteFunc(slices.Clone(stories), func(s *story) bool { return s.buyer != dawdles }))
		for _, s := range stories {
			s.late = prompt - rnd.IntN(min(prompt, lateSpread))
		}
	}
	for _, s := range stories {
		d.byKey[s.key] = append(d.byKey[s.key], s)
		for _, st := range s.steps {
			if st.on != "" {
				d.cues[st.of] = append(d.cues[st.of], st)
			}
		}
	}
	return d
}

// open publishes what comes before any event.
func (d *director) open() {
	for _, s := range d.stories {
		for _, st := range s.steps {
			if st.on != "" {
				continue
			}
			if d.err = d.publish(st); d.err != nil {
				return
			}
		}
	}
}

func (d *director) publish(s step) error {
	return d.stack.Bus().PublishRaw(d.ctx, s.subject, "", s.body)
}

// take hears an event: it is shown, and whoever waited for it acts.
func (d *director) take(e bus.Entry) error {
	if d.err != nil {
		return d.err
	}
	if d.cfg.Event != nil {
		d.cfg.Event(e)
	}
	var err error
	switch e.Stream {
	case events.InvoicesStream:
		err = d.invoice(e)
	case events.ParkedStream:
		err = d.park(e)
	}
	if err == nil {
		err = d.latecomers()
	}
	if err == nil && len(d.over) == len(d.stories) {
		return bus.ErrStop
	}
	return err
}

func (d *director) invoice(e bus.Entry) error {
	inv, err := bus.DecodeInvoice(e.Body)
	if err != nil {
		return err
	}
	cue := string(inv.Change.Event)
	for _, st := range d.cues[inv.Key()] {
		if st.on == cue || st.on == cue+":"+inv.Change.RefundID {
			if err := d.publish(st); err != nil {
				return err
			}
		}
	}
	for _, s := range d.byKey[inv.Key()] {
		if inv.Change.Event == events.EventIssued && s.buyer == pays && !d.first {
			d.first = true
			if d.cfg.Issued != nil {
				d.cfg.Issued(inv)
			}
		}
		if inv.Change.Event == events.EventIssued {
			if err := d.buyer(s, inv); err != nil {
				return err
			}
		}
		if s.ended(inv) {
			d.over[s] = true
		}
	}
	return nil
}

// buyer sees the QR code and acts.
func (d *director) buyer(s *story, inv events.Invoice) error {
	var err error
	switch s.buyer {
	case pays:
		err = d.stack.Sandbox().Pay(inv.InvoiceReference)
	case declines:
		err = d.stack.Sandbox().Decline(inv.InvoiceReference)
	case fails:
		err = d.stack.Sandbox().Fail(inv.InvoiceReference)
	case dawdles:
		d.waiting = append(d.waiting, &debt{s.late, inv.InvoiceReference})
		err = d.stack.Sandbox().Scan(inv.InvoiceReference)
	}
	if err != nil {
		return fmt.Errorf("the buyer of %s: %w", s.name, err)
	}
	return nil
}

// latecomers pay when enough of the others are through.
func (d *director) latecomers() error {
	for _, w := range d.waiting {
		if w.after > len(d.over) || w.reference == "" {
			continue
		}
		if err := d.stack.Sandbox().Pay(w.reference); err != nil {
			return fmt.Errorf("a buyer who pays late: %w", err)
		}
		w.reference = ""
	}
	return nil
}

func (d *director) park(e bus.Entry) error {
	p, _, err := bus.DecodeParked(e.Body)
	if err != nil {
		return err
	}
	d.parked = append(d.parked, p)
	a, err := events.ParseSubject(p.Subject)
	if err != nil {
		return nil // a subject that no story has: it stays unexpected
	}
	for _, s := range d.byKey[a.Key()] {
		if s.malformed() && !d.over[s] {
			d.over[s] = true
			return nil
		}
	}
	return nil
}
