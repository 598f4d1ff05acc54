package chaos

import (
	"context"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// told is one event of INVOICES that the destinations may be told.
type told struct {
	id   string
	key  events.Key
	name events.Name
	body string
}

// readEvents gives the events of INVOICES in their order, but for the foreign messages.
func (sim *simulation) readEvents(ctx context.Context) (all []told, err error) {
	_, err = sim.bus.Scan(ctx, bus.Scan{Stream: events.InvoicesStream}, func(m bus.Entry) error {
		inv, envelope, err := events.DecodeInvoiceEvent(m.Subject, m.Body)
		if err == nil { // audit.Read judges what cannot be read
			a, _ := events.ParseSubject(m.Subject)
			all = append(all, told{envelope.ID, a.Key(), inv.Change.Event, string(m.Body)})
		}
		return nil
	})
	return all, err
}

// checkDestinations checks that each destination was told of all that it wants, in the order of each invoice, and of nothing else.
func (e *evidence) checkDestinations() {
	for _, x := range e.schedule.Destinations {
		first := e.checkArrivals(x)
		last := map[events.Key]told{} // that has arrived last of each invoice
		for _, t := range e.events {
			if !x.wants(t) {
				continue
			}
			at, arrived := first[t.id]
			before, ok := last[t.key]
			switch {
			case !arrived && e.untold:
				continue // it may be waiting still
			case !arrived:
				e.report("%s: the event %s never arrived at the destination", t.key, t.name)
				continue
			case ok && at < first[before.id]:
				e.report("%s: the event %s arrived at the destination before %s", t.key, t.name, before.name)
				continue
			}
			last[t.key] = t
		}
	}
}

// checkArrivals checks each webhook that a destination got, and gives the place of the first one of each event.
func (e *evidence) checkArrivals(x destination) (first map[string]int) {
	first = map[string]int{}
	for n, got := range e.arrived[x.Shop] {
		i := slices.IndexFunc(e.events, func(t told) bool { return t.id == got.ID })
		switch {
		case got.Problem != nil:
			e.report("the destination of %s got a webhook with a wrong signature: %v", x.Shop, got.Problem)
		case i < 0 || e.events[i].body != got.Body:
			e.report("the destination of %s was told what INVOICES does not have: %s %s", x.Shop, got.ID, got.Body)
		case !x.wants(e.events[i]):
			e.report("%s: the destination of %s was told of %s, which it does not want", e.events[i].key, x.Shop, e.events[i].name)
		}
		if _, again := first[got.ID]; !again {
			first[got.ID] = n
		}
	}
	return first
}

// wants says whether the destination is to be told of the event.
func (x destination) wants(t told) bool {
	return t.key.Shop == x.Shop && (len(x.Events) == 0 || slices.Contains(x.Events, t.name))
}
