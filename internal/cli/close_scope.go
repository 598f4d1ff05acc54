package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// closeScope is what a closing of a shop's period ends at the provider: the period of its terminal, for every shop that
// sells on that terminal.
type closeScope struct {
	shop      string
	ordered   bool                // the shop has had an order, an invoice or a period
	terminal  string              // "" is unknown: the shop has no invoice yet, and no settings were given
	shops     map[string]struct{} // on that terminal
	payments  int                 // on that terminal since the last closing
	refunds   int
	last      *events.Period // of that terminal; nil when none was marked
	read      uint64         // the events of INVOICES after this sequence were read
	fromShops bool           // the terminal is the settings'
}

// scopeOf finds it in the streams; the shops' settings, where this command has them, tell more.
func scopeOf(ctx context.Context, b *bus.Bus, shop string, settings app.ShopList) (closeScope, error) {
	s := closeScope{shop: shop, shops: map[string]struct{}{}}
	marked, err := s.periods(ctx, b)
	if err != nil {
		return s, err
	}
	sales, err := s.invoices(ctx, b)
	if err != nil {
		return s, err
	}
	if entry, ok := settings.Of(shop); ok {
		s.terminal, s.fromShops = entry.Terminal, true
		for id, other := range settings {
			if id != app.AnyShop && other.Terminal == s.terminal {
				s.shops[id] = struct{}{}
			}
		}
	}
	if p, ok := marked[s.terminal]; ok && s.terminal != "" {
		s.last = &p
	}
	for _, x := range sales {
		if x.terminal != s.terminal || s.last != nil && x.seq <= s.last.LedgerBefore {
			continue
		}
		s.shops[x.shop] = struct{}{}
		switch x.event {
		case events.EventPaid:
			s.payments++
		case events.EventRefunded:
			s.refunds++
		}
	}
	if s.ordered {
		return s, nil
	}
	_, err = b.Scan(ctx, bus.Scan{Stream: events.OrdersStream, Filters: []string{"orders." + events.Token(shop) + ".*.*"}, HeadersOnly: true}, func(bus.Entry) error {
		s.ordered = true
		return bus.ErrStop
	})
	if s.ordered {
		return s, nil
	}
	return s, err
}

// periods gives the last marked period of each terminal. The shop's own last one tells its terminal.
func (s *closeScope) periods(ctx context.Context, b *bus.Bus) (map[string]events.Period, error) {
	all, err := periodsOf(ctx, b, "")
	if err != nil {
		return nil, err
	}
	marked := map[string]events.Period{}
	for _, p := range all {
		if events.Token(p.Shop) == events.Token(s.shop) {
			s.ordered = true
			if p.Terminal != "" {
				s.terminal = p.Terminal
			}
		}
		if p.MarkedAt != nil && (marked[p.Terminal].MarkedAt == nil || p.MarkedAt.After(*marked[p.Terminal].MarkedAt)) {
			marked[p.Terminal] = p
		}
	}
	if p, ok := marked[s.terminal]; ok {
		s.read = p.LedgerBefore
	}
	return marked, nil
}

// sale is one event of INVOICES that says who sells on which terminal.
type sale struct {
	shop, terminal string
	event          events.Name
	seq            uint64
}

// invoices reads what was recorded since the terminal's last period, or everything where there was none.
func (s *closeScope) invoices(ctx context.Context, b *bus.Bus) ([]sale, error) {
	var all []sale
	var filters []string
	for _, e := range []events.Name{events.EventIssued, events.EventPaid, events.EventRefunded} {
		filters = append(filters, "invoices.*.*."+string(e))
	}
	_, err := b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, From: s.read + 1, Filters: filters}, func(m bus.Entry) error {
		var e struct {
			Data struct {
				Shop     string `json:"shop"`
				Terminal string `json:"terminal"`
			} `json:"data"`
		}
		a, err := events.ParseSubject(m.Subject)
		if err != nil || json.Unmarshal(m.Body, &e) != nil {
			return nil // the reconciler tells of what cannot be read
		}
		all = append(all, sale{e.Data.Shop, e.Data.Terminal, events.Name(a.Event), m.Seq})
		if events.Token(e.Data.Shop) == events.Token(s.shop) {
			s.ordered = true
			if a.Event == string(events.EventIssued) && e.Data.Terminal != "" {
				s.terminal = e.Data.Terminal
			}
		}
		return nil
	})
	return all, err
}

// text says what is about to be closed.
func (s closeScope) text(l term.Lines) string {
	if s.terminal == "" {
		return fmt.Sprintf("This ends the provider's period of the terminal of %s, which only the reconciler's settings name: no invoice of the shop tells it.", term.Clean(s.shop))
	}
	since := "its first closing here"
	if s.last != nil {
		since = fmt.Sprintf("the last was %s of %s, at %s", term.Clean(s.last.Period), term.Clean(s.last.Shop), l.Date(*s.last.MarkedAt))
	}
	of := "of no shop so far"
	if shops := slices.Sorted(maps.Keys(s.shops)); len(shops) > 0 {
		of = "of " + term.Clean(strings.Join(shops, ", "))
	}
	return fmt.Sprintf("This ends the provider's period of terminal %s (%s), with %s and %s recorded since, %s.",
		term.Clean(s.terminal), since, counted(s.payments, "payment"), counted(s.refunds, "refund"), of)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
