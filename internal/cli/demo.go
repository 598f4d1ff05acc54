package cli

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/demo"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type demoCmd struct {
	Orders string `type:"path" placeholder:"FILE" help:"Play these order events (NDJSON) instead of the built-in ones; buyers pay at once."`
	Seed   uint64 `default:"1" help:"Another seed is another day: who comes when, who pays late."`
	JSON   bool   `name:"json" help:"Print nothing but the result, as one JSON object."`
}

func (demoCmd) Help() string {
	return `Starts everything on free ports with a fresh folder: broker, sandbox, all workers. Four shops place orders in three currencies; buyers pay, pay late, cancel, never come, and one payment fails; shops cancel and take back; one order is placed again, for a second try at paying it; two orders are malformed. A WooCommerce and a Shopify shop send their orders by webhook, and have to record each payment once. Every event is printed as it happens, then a table of how it ended and a balance against the provider's own ledger. Exit code 0 only if every order ended as it should and the money adds up.

Examples:

    seqrflow demo
    seqrflow demo --json --seed 7
    seqrflow demo --orders orders.ndjson`
}

func (d demoCmd) Run(c *console) error {
	cfg := demo.Config{Seed: d.Seed, Log: zerolog.New(c.err).Level(zerolog.ErrorLevel)}
	if d.Orders != "" {
		f, err := os.Open(d.Orders)
		if err != nil {
			return err
		}
		defer f.Close()
		cfg.Orders = f
	}
	if !d.JSON {
		lines := c.lines
		lines.Begun = time.Now()
		cfg.Event = func(e bus.Entry) { c.say("%s", lines.Event(e)) }
		cfg.Issued = func(inv events.Invoice) {
			c.say("\nThe first buyer who pays scans this code (%s):\n", term.Clean(inv.Shop+"/"+inv.InvoiceID))
			_ = c.showQR(&inv) // an issued invoice has a code
			c.say("")
		}
	}
	r, err := demo.Run(c.ctx, cfg)
	if err != nil {
		return err
	}
	return c.report(r, d.JSON, r.Good(), func() { c.printResult(r) })
}

func (c *console) printResult(r demo.Result) {
	var rows [][]string
	for _, s := range slices.Sorted(maps.Keys(r.States)) {
		rows = append(rows, []string{string(s), fmt.Sprint(r.States[s])})
	}
	c.say("")
	c.table([]string{"ended as", "invoices"}, append(rows, []string{"parked", fmt.Sprint(r.Parked)}), 1)
	rows = nil
	for _, b := range r.Balances {
		in := func(a events.Amount) string { return a.In(b.Currency) }
		rows = append(rows, []string{b.Shop, b.Currency, in(b.Paid), in(b.Refunded), in(b.Net), in(b.ProviderNet), in(b.Difference)})
	}
	c.say("")
	c.table([]string{"shop", "currency", "paid", "refunded", "net", "provider's net", "difference"}, rows, 2, 3, 4, 5, 6)
	c.say("")
	for _, u := range r.Unexpected {
		c.say("%s  %s: expected %s, got %s", c.paint().In(term.Red, "unexpected"), term.Clean(u.Order), term.Clean(u.Expected), term.Clean(u.Got))
	}
	verdict := c.paint().In(term.Green, "Every order ended as it should, and the money adds up.")
	if !r.Good() {
		verdict = c.paint().In(term.Red, "Not everything ended as it should.")
	}
	c.say("%s %d orders, %d payments reversed, %.1f s.", verdict, r.Orders, r.Reversals, r.Seconds)
}
