package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// neighbours are what other closings of the terminal mean to one. Several shops may share a terminal,
// and the provider's periods are the terminal's.
type neighbours struct {
	moved       bool              // the closing itself is past its mark
	busy        error             // another one's mark is under way
	previous    *events.PeriodRef // the one that was marked last
	ledgerAfter uint64            // where our ledger was before that mark
	inDoubt     int               // attempts of closings that never got an answer and have no mark yet
}

// place is where a period's events are on PERIODS.
type place struct {
	key          events.PeriodKey
	last, marked uint64
	event        events.PeriodEvent
}

// surveys is how often neighbours looks again when another closing got further meanwhile.
const surveys = 5

// errStale says that a period got further between the two looks at it: what was seen of the others is
// no picture of one moment.
var errStale = errors.New("another closing of the same terminal is getting further")

// neighbours sees all closings as they were at one moment.
func (w *Worker) neighbours(ctx context.Context, own events.PeriodKey, terminal string) (neighbours, error) {
	for range surveys {
		n, err := w.survey(ctx, own, terminal)
		if !errors.Is(err, errStale) {
			return n, err
		}
	}
	return neighbours{busy: errStale}, nil
}

// survey reads the subjects of PERIODS, and the bodies only of the few periods that matter.
func (w *Worker) survey(ctx context.Context, own events.PeriodKey, terminal string) (neighbours, error) {
	places, err := w.places(ctx)
	if err != nil {
		return neighbours{}, err
	}
	var n neighbours
	var self place
	if p := places[own]; p != nil {
		self = *p
		delete(places, own)
	}
	n.moved = self.event != events.EventClosing
	var before []*place
	for _, p := range places {
		if p.event == events.EventClosing {
			if err := w.open(ctx, &n, self, p, terminal); err != nil {
				return n, err
			}
		} else if p.marked > 0 {
			before = append(before, p)
		}
	}
	return n, w.previous(ctx, &n, before, terminal)
}

// previous finds the terminal's period that was marked last.
func (w *Worker) previous(ctx context.Context, n *neighbours, before []*place, terminal string) error {
	slices.SortFunc(before, func(a, b *place) int { return cmp.Compare(b.marked, a.marked) })
	for _, p := range before {
		l, err := w.Bus.LoadPeriod(ctx, p.key)
		if unreadable(err) {
			continue // no reconciler wrote it
		}
		if err != nil {
			return err
		}
		if l.Terminal == terminal {
			n.previous, n.ledgerAfter = &events.PeriodRef{Shop: l.Shop, Period: l.Period.Period}, l.LedgerBefore
			return nil
		}
	}
	return nil
}

func (w *Worker) places(ctx context.Context) (map[events.PeriodKey]*place, error) {
	places := map[events.PeriodKey]*place{}
	_, err := w.Bus.Scan(ctx, bus.Scan{Stream: events.PeriodsStream, HeadersOnly: true}, func(m bus.Scanned) error {
		a, err := events.ParseSubject(m.Subject)
		if err != nil {
			return nil // nothing that is ours has such a subject
		}
		k := events.PeriodKey{Shop: a.Shop, Period: a.ID}
		p := places[k]
		if p == nil {
			p = &place{key: k}
			places[k] = p
		}
		p.last, p.event = m.Seq, events.PeriodEvent(a.Event)
		if p.event == events.EventMarked {
			p.marked = m.Seq
		}
		return nil
	})
	return places, err
}

// open looks at another closing without a mark. Of two that have an attempt under way, the one that
// recorded it first goes on.
func (w *Worker) open(ctx context.Context, n *neighbours, self place, p *place, terminal string) error {
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
		_, parked, err := w.Bus.PeriodParked(ctx, p.key)
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
