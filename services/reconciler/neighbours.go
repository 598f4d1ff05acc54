package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// neighbours is what the other closings of a terminal mean to one closing. Several shops may share a terminal,
// and the provider's periods are the terminal's.
type neighbours struct {
	moved       bool              // the closing itself is past its mark
	busy        error             // the mark of another closing is under way
	previous    *events.PeriodRef // the period that was marked last
	ledgerAfter uint64            // where our ledger was before that mark
	inDoubt     int               // attempts of closings that never got an answer and have no mark yet
}

// place is where the events of a period are on PERIODS.
type place struct {
	key          events.PeriodKey
	last, marked uint64
	event        events.PeriodEvent
	known        *markedPeriod // nil until it was loaded
}

// markedPeriod is what no later event of a marked period changes.
type markedPeriod struct {
	terminal     string
	ref          events.PeriodRef
	ledgerBefore uint64
}

// periods is what a worker knows of PERIODS. Every event is read once.
type periods struct {
	read   uint64 // the last sequence that was read
	places map[events.PeriodKey]*place
	open   map[events.PeriodKey]*place // those that have no mark yet
	marks  []*place                    // those that have, in the order of their marks
}

// maxLooks is how often neighbours looks again when another closing got further meanwhile.
const maxLooks = 5

// errStale says that a period got further while it was read, so that what was read is not of one moment.
var errStale = errors.New("another closing of the same terminal is getting further")

// neighbours gives the other closings of the terminal as they were at one moment.
func (w *Worker) neighbours(ctx context.Context, own events.PeriodKey, terminal string) (neighbours, error) {
	for range maxLooks {
		n, err := w.look(ctx, own, terminal)
		if !errors.Is(err, errStale) {
			return n, err
		}
	}
	return neighbours{busy: errStale}, nil
}

// look reads the subjects that are new on PERIODS, and the bodies only of the few periods that matter.
func (w *Worker) look(ctx context.Context, own events.PeriodKey, terminal string) (neighbours, error) {
	w.closings.Lock()
	defer w.closings.Unlock()
	if err := w.readPeriods(ctx); err != nil {
		return neighbours{}, err
	}
	var n neighbours
	var self place
	if p := w.periods.places[own]; p != nil {
		self = *p
	}
	n.moved = self.event != events.EventClosing
	for k, p := range w.periods.open {
		if k == own {
			continue
		}
		if err := w.addUnmarked(ctx, &n, self, p, terminal); err != nil {
			return n, err
		}
	}
	return n, w.addPrevious(ctx, &n, own, terminal)
}

// addPrevious adds the terminal's period that was marked last.
func (w *Worker) addPrevious(ctx context.Context, n *neighbours, own events.PeriodKey, terminal string) error {
	for _, p := range slices.Backward(w.periods.marks) {
		if p.key == own || p.event == events.EventClosing {
			continue
		}
		if p.known == nil {
			l, err := w.Bus.LoadPeriod(ctx, p.key)
			if unreadable(err) {
				continue // no reconciler wrote it
			}
			if err != nil {
				return err
			}
			p.known = &markedPeriod{l.Terminal, events.PeriodRef{Shop: l.Shop, Period: l.Period.Period}, l.LedgerBefore}
		}
		if p.known.terminal == terminal {
			n.previous, n.ledgerAfter = &p.known.ref, p.known.ledgerBefore
			return nil
		}
	}
	return nil
}

// readPeriods reads what is new on PERIODS.
func (w *Worker) readPeriods(ctx context.Context) error {
	if w.periods.places == nil {
		w.periods = periods{places: map[events.PeriodKey]*place{}, open: map[events.PeriodKey]*place{}}
	}
	last, err := w.Bus.Scan(ctx, bus.Scan{Stream: events.PeriodsStream, From: w.periods.read + 1, HeadersOnly: true}, func(m bus.Entry) error {
		w.periods.add(m)
		return nil
	})
	if err == nil && last < w.periods.read { // the stream is another one, restored or made anew
		w.periods = periods{}
		return w.readPeriods(ctx)
	}
	return err
}

// add notes one event of PERIODS.
func (p *periods) add(m bus.Entry) {
	p.read = m.Seq
	a, err := events.ParseSubject(m.Subject)
	if err != nil {
		return // nothing that is ours has such a subject
	}
	k := events.PeriodKey{Shop: a.Shop, Period: a.ID}
	at := p.places[k]
	if at == nil {
		at = &place{key: k}
		p.places[k] = at
	}
	at.last, at.event = m.Seq, events.PeriodEvent(a.Event)
	delete(p.open, k)
	switch at.event {
	case events.EventClosing:
		p.open[k] = at
	case events.EventMarked:
		if at.marked > 0 {
			p.marks = slices.DeleteFunc(p.marks, func(other *place) bool { return other == at })
		}
		at.marked = m.Seq
		p.marks = append(p.marks, at)
	}
}

// addUnmarked adds another closing that is not marked. Of two that have an attempt under way, the one that
// recorded it first goes on.
func (w *Worker) addUnmarked(ctx context.Context, n *neighbours, self place, p *place, terminal string) error {
	l, err := w.Bus.LoadPeriod(ctx, p.key)
	switch {
	case unreadable(err):
		return nil
	case err != nil:
		return err
	case l.Terminal != "" && l.Terminal != terminal:
		return nil
	case l.Seq != p.last:
		return errStale
	case l.Mark.UnderWay && l.Seq < self.last:
		_, parked, err := w.Bus.LastParked(ctx, Name, p.key.Shop, p.key.Period)
		if err != nil {
			return err
		}
		if !parked {
			n.busy = fmt.Errorf("%s of the same terminal is being marked", p.key)
			return nil
		}
		n.inDoubt++
	}
	n.inDoubt += l.Mark.InDoubt
	return nil
}

func unreadable(err error) bool { return errors.Is(err, bus.ErrPeriodUnreadable) }
