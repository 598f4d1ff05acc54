package cli

import (
	"context"
	"fmt"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bench"
)

type benchCmd struct {
	Lifecycle  benchOf[bench.Lifecycle, bench.LifecycleResult]   `cmd:"" help:"Orders to RECEIPTED per second, every event synced to disk."`
	Poll       benchOf[bench.Poll, bench.PollResult]             `cmd:"" help:"Punctuality of polling, and the time from a payment to its event."`
	Fairness   benchOf[bench.Fairness, bench.FairnessResult]     `cmd:"" help:"A healthy shop's latency beside silent terminals, a flood and a very large order."`
	Outage     benchOf[bench.Outage, bench.OutageResult]         `cmd:"" help:"What is tried while the provider is silent, and how fast the rest is made up for."`
	Start      benchOf[bench.Start, bench.StartResult]           `cmd:"" help:"Time to the first poll after a long history, and until all open invoices were asked about."`
	Hooks      benchOf[bench.Hooks, bench.HooksResult]           `cmd:"" help:"Webhooks of a shop: from their acceptance to the invoice at a rate, and how many a second on one processor."`
	Checkout   benchOf[bench.Checkout, bench.CheckoutResult]     `cmd:"" help:"Memory of a gateway with many checkout pages open, and how soon each is told of its payment."`
	Deliveries benchOf[bench.Deliveries, bench.DeliveriesResult] `cmd:"" help:"A notifier while one destination is dead, and how fast the rest is sent when it is back."`
	Sandbox    benchOf[bench.Sandbox, bench.SandboxResult]       `cmd:"" help:"Status calls per second on one processor, and memory per open invoice."`
}

func (benchCmd) Help() string {
	return `Measures seqrflow on this machine with everything in one process (broker, sandbox, all workers) over real HTTP on loopback, on a fresh folder that is removed afterwards. Only "bench sandbox" gives the sandbox a process of its own, "bench checkout" the gateway, and "bench deliveries" the notifier. What the ledger of the provider says is checked at the end: a run that loses or reverses a payment fails.

Examples:

    seqrflow bench lifecycle
    seqrflow bench lifecycle --rate 100
    seqrflow bench poll --invoices 10000
    seqrflow bench poll --invoices 3500 --latency 1s --at-once 4096 --payments 0
    seqrflow bench fairness --silent 200 --flood 10000
    seqrflow bench outage --waiting 100000
    seqrflow bench start --ended 1000000
    seqrflow bench hooks --rate 50
    seqrflow bench checkout --pages 5000
    seqrflow bench deliveries --events 100000
    seqrflow bench sandbox --json`
}

// measurement is one of the package bench. Its fields are flags; their tag min is the least that they may be.
type measurement[R fmt.Stringer] interface {
	Run(context.Context, bench.Config) (R, error)
}

// benchOf is the command of a measurement.
type benchOf[M measurement[R], R fmt.Stringer] struct {
	JSON    bool `name:"json" help:"Print nothing but the result, as one JSON object."`
	Measure M    `embed:""`
}

func (b benchOf[M, R]) Help() string {
	if m, ok := any(b.Measure).(kong.HelpProvider); ok {
		return m.Help()
	}
	return ""
}

func (benchOf[M, R]) Validate(ctx *kong.Context) error {
	for _, f := range ctx.Selected().Flags {
		if least, err := f.Tag.GetInt("min"); err == nil && f.Target.Int() < least {
			return fmt.Errorf("--%s: expected at least %d, got %d", f.Name, least, f.Target.Int())
		}
	}
	return nil
}

func (b benchOf[M, R]) Run(c *console) error {
	cfg := bench.Config{Log: zerolog.New(c.err).Level(zerolog.ErrorLevel)}
	if !b.JSON {
		cfg.Progress = func(s string) { fmt.Fprintln(c.err, s) }
	}
	r, err := b.Measure.Run(c.ctx, cfg)
	if err != nil {
		return err
	}
	return c.report(r, b.JSON, true, func() { c.say("%s", r) })
}
