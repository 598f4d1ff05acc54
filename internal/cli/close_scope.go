package cli

import (
	"cmp"
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
	shop     string
	ordered  bool            // the shop has had an order, an invoice or a period
	terminal string          // "" is unknown: the shop has no invoice yet, and no settings were given
	shops    map[string]bool // on that terminal
	payments int             // on that terminal since the last closing
	refunds  int
	last     *events.Period // of that terminal; nil when none was marked
}

// scopeOf finds it in the streams; the shops' settings, where this command has them, tell more.
func scopeOf(ctx context.Context, b *bus.Bus, shop string, settings app.ShopList) (closeScope, error) {
	s := closeScope{shop: shop}
	marked, err := s.periods(ctx, b)
	if err != nil {
		return s, err
	}
	entry, inSettings := settings.Of(shop)
	if inSettings {
		s.terminal = entry.Terminal
	}
	issuedOn, err := s.count(ctx, b, marked[s.terminal].LedgerBefore)
	if err == nil && !inSettings && issuedOn != "" && issuedOn != s.terminal {
		s.terminal = issuedOn
		_, err = s.count(ctx, b, marked[s.terminal].LedgerBefore)
	}
	if err != nil {
		return s, err
	}
	if p, ok := marked[s.terminal]; ok && s.terminal != "" {
		s.last = &p
	}
	for id, other := range settings {
		if id != app.AnyShop && inSettings && other.Terminal == s.terminal {
			s.shops[id] = true
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
	marked := map[string]events.Period{}
	for _, p := range all {
		if events.Token(p.Shop) == events.Token(s.shop) {
			s.ordered, s.terminal = true, cmp.Or(p.Terminal, s.terminal)
		}
		if p.MarkedAt != nil && p.LedgerBefore >= marked[p.Terminal].LedgerBefore {
			marked[p.Terminal] = p
		}
	}
	return marked, err
}

// count counts what was recorded of the terminal after a sequence of INVOICES, and gives the terminal of the shop's last invoice after it.
func (s *closeScope) count(ctx context.Context, b *bus.Bus, after uint64) (issuedOn string, err error) {
	s.shops, s.payments, s.refunds = map[string]bool{}, 0, 0
	var filters []string
	for _, e := range []events.Name{events.EventIssued, events.EventPaid, events.EventRefunded} {
		filters = append(filters, "invoices.*.*."+string(e))
	}
	_, err = b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, From: after + 1, Filters: filters}, func(m bus.Entry) error {
		var e struct {
			Data struct {
				Shop     string `json:"shop"`
				Terminal string `json:"terminal"`
			} `json:"data"`
		}
		a, err := events.ParseSubject(m.Subject)
		if err != nil || json.Unmarshal(m.Body, &e) != nil {
			return nil // the reconciler reports an event that cannot be read
		}
		event := events.Name(a.Event)
		if events.Token(e.Data.Shop) == events.Token(s.shop) {
			s.ordered = true
			if event == events.EventIssued {
				issuedOn = cmp.Or(e.Data.Terminal, issuedOn)
			}
		}
		if e.Data.Terminal != s.terminal {
			return nil
		}
		s.shops[e.Data.Shop] = true
		switch event {
		case events.EventPaid:
			s.payments++
		case events.EventRefunded:
			s.refunds++
		}
		return nil
	})
	return issuedOn, err
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
