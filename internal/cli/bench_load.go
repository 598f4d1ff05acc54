package cli

import (
	"github.com/seqrflow/seqrflow/internal/bench"
)

type benchFairnessCmd struct {
	benchFlags `embed:""`
	Silent     int `default:"200" help:"Shops whose terminals give no answer, with four orders each (${default})."`
	Flood      int `default:"10000" help:"Orders of another shop that all wait when it begins (${default})."`
	Large      int `default:"700000" help:"Bytes of a third shop's order (${default})."`
	Orders     int `default:"200" help:"Orders of the healthy shop (${default})."`
	Rate       int `default:"20" help:"How many of these a second (${default})."`
}

// Help says what is measured.
func (benchFairnessCmd) Help() string {
	return `One invoicer starts while orders of other shops wait: some of shops whose terminals take connections and never answer, many of one shop, one of the largest size. Then a healthy shop places orders. Printed is how long each of these takes from when it was due to its "issued" event at a subscriber. The healthy shop, the flood and the large order share one terminal.`
}

// Validate the flags.
func (b benchFairnessCmd) Validate() error {
	return atLeast(limit{"silent", b.Silent, 0}, limit{"flood", b.Flood, 0}, limit{"large", b.Large, 1}, limit{"orders", b.Orders, 1}, limit{"rate", b.Rate, 1})
}

// Run measures and prints.
func (b benchFairnessCmd) Run(c *console) error {
	return measured(c, b.JSON, bench.Fairness{Config: b.config(c), Silent: b.Silent, Flood: b.Flood, Large: b.Large, Orders: b.Orders, Rate: b.Rate}.Run, func(r bench.FairnessResult) {
		c.say("beside              %d silent terminals, %d orders at once of another shop, an order of %d bytes", r.Silent, r.Flood, r.Large)
		c.say("order → issued      %s (%d orders of the healthy shop)", r.Latency, r.Latency.Count)
		c.say("of the flood        %d were not issued yet at the end", r.Left)
	})
}

type benchOutageCmd struct {
	benchFlags `embed:""`
	Waiting    int `default:"14000" help:"Orders that wait (${default})."`
	Seconds    int `default:"60" help:"How long the provider is silent (${default})."`
}

// Help says what is measured.
func (benchOutageCmd) Help() string {
	return `Orders wait, and the provider takes connections and never answers. Printed is how many sendInvoice calls and probes a second are made meanwhile; then the provider answers again, and printed is when the first invoice is there, how many a second follow, and how many calls were under way at once.`
}

// Validate the flags.
func (b benchOutageCmd) Validate() error {
	return atLeast(limit{"waiting", b.Waiting, 1}, limit{"seconds", b.Seconds, 1})
}

// Run measures and prints.
func (b benchOutageCmd) Run(c *console) error {
	return measured(c, b.JSON, bench.Outage{Config: b.config(c), Waiting: b.Waiting, Seconds: b.Seconds}.Run, func(r bench.OutageResult) {
		c.say("while it is silent  %.2f sendInvoice and %.2f probes a second, %d orders waiting", r.Attempts, r.Probes, r.Waiting)
		c.say("afterwards          first invoice after %.1f s, then %.0f a second, %d calls at once at most; all after %.1f s", r.First, r.PerSec, r.AtOnce, r.All)
		c.say("memory              %s", memoryText(r.Memory))
	})
}

type benchStartCmd struct {
	benchFlags `embed:""`
	Ended      int `default:"20000" help:"Invoices that have ended before (${default})."`
	Open       int `default:"1000" help:"Invoices that are open (${default})."`
}

// Help says what is measured.
func (benchStartCmd) Help() string {
	return `A poller starts on a broker with a history of invoices that have ended. Printed is when it asks about the first open invoice, and when it has asked about all, with its durable and with a new one. The provider answers at once.`
}

// Validate the flags.
func (b benchStartCmd) Validate() error {
	return atLeast(limit{"ended", b.Ended, 0}, limit{"open", b.Open, 1})
}

// Run measures and prints.
func (b benchStartCmd) Run(c *console) error {
	return measured(c, b.JSON, bench.Start{Config: b.config(c), Ended: b.Ended, Open: b.Open}.Run, func(r bench.StartResult) {
		c.say("history             %d invoices that have ended, %d open", r.Ended, r.Open)
		c.say("with its durable    first poll after %.3f s, all asked about after %.2f s", r.With.First, r.With.All)
		c.say("with a new one      first poll after %.3f s, all asked about after %.2f s", r.Without.First, r.Without.All)
	})
}
