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
	broker, err := natsd.Start(t.Context(), natsd.Config{Listen: "127.0.0.1:0", Data: t.TempDir()})
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

// closeT1 marks a period of terminal t1 that acme has asked for, with our ledger up to the sequence before.
func closeT1(t *testing.T, b *bus.Bus, period string, before uint64, fact events.Fact) {
	t.Helper()
	for _, step := range []bus.DecidePeriod{
		func(x events.Period) (events.Period, error) { return x.ClosingAsked("acme", period, "operator", fact) },
		func(x events.Period) (events.Period, error) { return x.Marking("t1", before, fact) },
		func(x events.Period) (events.Period, error) {
			return x.MarkedAs(events.Marked{TransactionPeriodID: period}, fact)
		},
	} {
		if _, err := b.UpdatePeriod(t.Context(), "reconciler", events.PeriodKeyOf("acme", period), step); err != nil {
			t.Fatal(err)
		}
	}
}

// What is recorded since the last closing is counted from that of the terminal whose period ends, not of the one that the shop had then.
func TestCloseCountsForAShopThatHasAnotherTerminalNow(t *testing.T) {
	t.Parallel()
	b := ledger(t)
	fact := events.Fact{At: b.Now(), Why: "test"}
	closeT1(t, b, "p1", 6, fact)
	const want = "This ends the provider's period of terminal t2 (its first closing here), with 1 payment and 0 refunds recorded since, of acme, gamma."
	for _, by := range []string{"settings", "an invoice"} {
		settings := app.ShopList{"acme": {Terminal: "t2"}}
		if by == "an invoice" {
			settings = nil
			rig.AppendEvents(t, b, events.KeyOf("acme", "4"), func(inv events.Invoice) (events.Invoice, error) {
				return inv.IssuedAs(events.Order{Shop: "acme", OrderID: "4", Currency: "SEK", Total: rig.Amount("100")}, events.ProviderInvoice{Terminal: "t2", ValidFor: time.Minute}, fact)
			})
		}
		s, err := scopeOf(t.Context(), b, "acme", settings)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.text(term.Lines{Zone: time.UTC}); got != want {
			t.Errorf("by %s: %s\nwant %s", by, got, want)
		}
	}
}

// Which closing of the terminal was the last follows from our ledger, not from the clocks of the reconcilers that marked.
func TestCloseFindsTheLastClosingWhateverTheClocksSaid(t *testing.T) {
	t.Parallel()
	b := ledger(t)
	for _, p := range []struct {
		name   string
		before uint64
		ahead  time.Duration
	}{{"p1", 2, time.Hour}, {"p2", 4, 0}} {
		closeT1(t, b, p.name, p.before, events.Fact{At: b.Now().Add(p.ahead), Why: "test"})
	}
	s, err := scopeOf(t.Context(), b, "acme", nil)
	if err != nil || s.last == nil || s.last.Period != "p2" || s.payments != 0 {
		t.Errorf("the last closing: %+v, %d payments since, %v", s.last, s.payments, err)
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
