package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bench"
)

type benchCmd struct {
	Lifecycle benchLifecycleCmd `cmd:"" help:"Orders to RECEIPTED per second, every event synced to disk."`
	Poll      benchPollCmd      `cmd:"" help:"Punctuality of polling, and the time from a payment to its event."`
	Fairness  benchFairnessCmd  `cmd:"" help:"A healthy shop's latency beside silent terminals, a flood and a very large order."`
	Outage    benchOutageCmd    `cmd:"" help:"What is tried while the provider is silent, and how fast the rest is made up for."`
	Start     benchStartCmd     `cmd:"" help:"Time to the first poll after a long history, and until all open invoices were asked about."`
	Sandbox   benchSandboxCmd   `cmd:"" help:"Status calls per second on one processor, and memory per open invoice."`
}

// Help says what is measured.
func (benchCmd) Help() string {
	return `Measures seqrflow on this machine with everything in one process (broker, sandbox, all workers) over real HTTP on loopback, on a fresh folder that is removed afterwards. Only "bench sandbox" gives the sandbox a process of its own. What the ledger of the provider says is checked at the end: a run that loses or reverses a payment fails.

Examples:

    seqrflow bench lifecycle
    seqrflow bench lifecycle --rate 100
    seqrflow bench poll --invoices 10000
    seqrflow bench poll --invoices 3500 --latency 1s --at-once 4096 --payments 0
    seqrflow bench fairness --silent 200 --flood 10000
    seqrflow bench outage --waiting 100000
    seqrflow bench start --ended 1000000
    seqrflow bench sandbox --json`
}

// benchFlags are those of every measurement.
type benchFlags struct {
	Data string `type:"path" placeholder:"DIR" help:"Make the fresh folder here: the disk that is measured. Where temporary files go unless given."`
	JSON bool   `name:"json" help:"Print nothing but the result, as one JSON object."`
}

func (f benchFlags) config(c *console) bench.Config {
	cfg := bench.Config{Data: f.Data, Log: zerolog.New(c.err).Level(zerolog.ErrorLevel)}
	if !f.JSON {
		cfg.Progress = func(s string) { fmt.Fprintln(c.err, s) }
	}
	return cfg
}

type benchLifecycleCmd struct {
	benchFlags `embed:""`
	Orders     int `default:"3000" help:"How many orders (${default})."`
	Rate       int `default:"0" help:"Orders a second; 0 is as fast as they are taken."`
}

// Validate the flags.
func (b benchLifecycleCmd) Validate() error {
	return atLeast(limit{"orders", b.Orders, 1}, limit{"rate", b.Rate, 0})
}

// Run measures and prints.
func (b benchLifecycleCmd) Run(c *console) error {
	return measured(c, b.JSON, bench.Lifecycle{Config: b.config(c), Orders: b.Orders, Rate: b.Rate}.Run, func(r bench.LifecycleResult) {
		c.say("orders → RECEIPTED  %.0f a second (%d in %.1f s, placed in %.1f s)", r.PerSec, r.Orders, r.Seconds, r.PlacedIn)
		c.say("each order          %s", r.Latency)
		if r.CPU > 0 {
			c.say("processor           %.2f ms an order, provider and broker included", r.CPU)
		}
		c.sayStand(r.Disk, r.Memory)
	})
}

type benchPollCmd struct {
	benchFlags `embed:""`
	Invoices   int           `default:"5000" help:"How many are held open and polled once a second (${default})."`
	Seconds    int           `default:"20" help:"How long punctuality is measured (${default})."`
	Payments   int           `default:"200" help:"How many pay with a notification, and how many without, in each of two measurements (${default})."`
	Latency    time.Duration `default:"0s" help:"How much longer the provider takes for each answer, e.g. 1s (${default})."`
	AtOnce     int           `default:"1024" help:"Polls at once at most, as --poll-concurrency of the poller (${default})."`
}

// Validate the flags.
func (b benchPollCmd) Validate() error {
	return atLeast(limit{"invoices", b.Invoices, 1}, limit{"seconds", b.Seconds, 1}, limit{"payments", b.Payments, 0}, limit{"latency", int(b.Latency), 0}, limit{"at-once", b.AtOnce, 1})
}

// Run measures and prints.
func (b benchPollCmd) Run(c *console) error {
	return measured(c, b.JSON, bench.Poll{Config: b.config(c), Invoices: b.Invoices, Seconds: b.Seconds, Payments: b.Payments, Latency: b.Latency, AtOnce: b.AtOnce}.Run, func(r bench.PollResult) {
		c.say("order → first poll    %s (100 orders a second)", r.First)
		c.say("polled once a second  %d invoices, %.0f answers a second, %.2f processors", r.Invoices, r.PerSec, r.CPUs)
		c.say("lateness of a poll    %s", r.Lateness)
		c.say("longest gap           %.2f s between two answers about one invoice", r.Gap)
		if b.Payments > 0 {
			c.say("paid → event          %s (notified)", r.Unloaded.Hinted)
			c.say("                      %s (not notified)", r.Unloaded.Unhinted)
			c.say("  under that load     %s (notified)", r.Loaded.Hinted)
			c.say("                      %s (not notified)", r.Loaded.Unhinted)
		}
		c.sayStand(r.Disk, r.Memory)
	})
}

type benchSandboxCmd struct {
	Invoices int  `default:"100000" help:"How many invoices are open (${default})."`
	Seconds  int  `default:"10" help:"How long their status is asked for (${default})."`
	JSON     bool `name:"json" help:"Print nothing but the result, as one JSON object."`
}

// Validate the flags.
func (b benchSandboxCmd) Validate() error {
	return atLeast(limit{"invoices", b.Invoices, 1}, limit{"seconds", b.Seconds, 1})
}

// Run measures and prints.
func (b benchSandboxCmd) Run(c *console) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return measured(c, b.JSON, bench.Sandbox{
		Config: benchFlags{JSON: b.JSON}.config(c), Program: []string{self, "sandbox", "--listen", "127.0.0.1:0", "--log-level", "error"},
		Invoices: b.Invoices, Seconds: b.Seconds,
	}.Run, func(r bench.SandboxResult) {
		c.say("getPaymentStatus  %.0f a second on one processor (%.0f %% of it used, so %.0f a second of its time)", r.PerSec, 100*r.Busy, r.PerCPUSec)
		c.say("each answer       %s with %d calls under way", r.Latency, bench.Callers)
		c.say("memory            resident %.0f MB with %d invoices open, %.0f MB at most", float64(r.RSS)/1e6, r.Invoices, float64(r.PeakRSS)/1e6)
		c.say("sendInvoice       %.0f a second", r.Opened)
	})
}

// measured runs a measurement and prints its result: as JSON, or in the lines that show writes.
func measured[R any](c *console, asJSON bool, measure func(context.Context) (R, error), show func(R)) error {
	r, err := measure(c.ctx)
	switch {
	case err != nil:
		return err
	case asJSON:
		return c.json(r)
	}
	show(r)
	return nil
}

func (c *console) sayStand(disk bench.Quantiles, m bench.Memory) {
	c.say("memory              %s", memoryText(m))
	c.say("append with fsync   %s", disk)
}

func memoryText(m bench.Memory) string {
	const mb = 1e6
	if m.PeakRSS == 0 {
		return fmt.Sprintf("heap %.0f MB at most", float64(m.PeakHeap)/mb)
	}
	return fmt.Sprintf("resident %.0f MB, heap %.0f MB at most", float64(m.PeakRSS)/mb, float64(m.PeakHeap)/mb)
}

// limit is the least that a flag may be.
type limit struct {
	flag       string
	got, least int
}

func atLeast(limits ...limit) error {
	for _, l := range limits {
		if l.got < l.least {
			return fmt.Errorf("--%s: expected at least %d, got %d", l.flag, l.least, l.got)
		}
	}
	return nil
}
