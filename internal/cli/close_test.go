package cli

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/natsd"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// ledger is a broker on which acme and beta share terminal t1, and gamma has t2.
func ledger(t *testing.T) *bus.Bus {
	t.Helper()
	broker, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	b, err := bus.Connect(t.Context(), bus.Config{Name: "test", Options: []nats.Option{broker.InProcess()}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct{ shop, id, terminal string }{{"acme", "1", "t1"}, {"beta", "2", "t1"}, {"gamma", "3", "t2"}} {
		fact := events.Fact{At: b.Now(), Why: "test"}
		rig.AppendEvents(t, b, events.KeyOf(s.shop, s.id), func(inv events.Invoice) (events.Invoice, error) {
			return inv.IssuedAs(events.Order{Shop: s.shop, OrderID: s.id, Currency: "SEK", Total: rig.Amount("100")}, events.ProviderInvoice{Terminal: s.terminal, ValidFor: time.Minute}, fact)
		})
		rig.AppendEvents(t, b, events.KeyOf(s.shop, s.id), func(inv events.Invoice) (events.Invoice, error) { return inv.PaidWith("ers-"+s.id, "poller", fact) })
	}
	return b
}

func TestCloseSaysWhoseTerminalsPeriodItEnds(t *testing.T) {
	t.Parallel()
	b := ledger(t)
	for name, c := range map[string]struct {
		shop     string
		settings app.ShopList
		ordered  bool
		want     string
	}{
		"shops that share a terminal": {"acme", nil, true,
			"This ends the provider's period of terminal t1 (its first closing here), with 2 payments and 0 refunds recorded since, of acme, beta."},
		"a shop alone": {"gamma", nil, true,
			"This ends the provider's period of terminal t2 (its first closing here), with 1 payment and 0 refunds recorded since, of gamma."},
		"a shop that the settings know on a terminal with others": {"delta", app.ShopList{"delta": {Terminal: "t2"}, "gamma": {Terminal: "t2"}}, false,
			"This ends the provider's period of terminal t2 (its first closing here), with 1 payment and 0 refunds recorded since, of delta, gamma."},
		"a shop that nobody knows": {"acne", nil, false,
			"This ends the provider's period of the terminal of acne, which only the reconciler's settings name: no invoice of the shop tells it."},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scopeOf(t.Context(), b, c.shop, c.settings)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.text(term.Lines{Zone: time.UTC}); got != c.want || s.ordered != c.ordered {
				t.Errorf("ordered %v, %s\nwant %v, %s", s.ordered, got, c.ordered, c.want)
			}
		})
	}
}

func TestAnOrderWithoutAnInvoiceIsAnOrder(t *testing.T) {
	t.Parallel()
	b := ledger(t)
	if err := b.PublishRaw(t.Context(), "orders.delta.1.placed", "", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if s, err := scopeOf(t.Context(), b, "delta", nil); err != nil || !s.ordered || s.terminal != "" {
		t.Errorf("%+v, %v", s, err)
	}
}
