package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

type closeCmd struct {
	broker
	Shop    string        `required:"" placeholder:"ID" help:"Whose period."`
	Period  string        `placeholder:"NAME" help:"Your name of the period; the time of day unless given. A name is used once."`
	Timeout time.Duration `default:"2m" help:"How long to wait for the comparison (${default})."`
	JSON    bool          `name:"json" help:"The whole reconciliation as one JSON object."`
}

// Help explains what closing means and shows examples.
func (closeCmd) Help() string {
	return `Asks the reconciler to mark the period at the provider, fetch its report, and compare it with our ledger: every payment and refund on both sides, to the cent. Exit code 0 only when the two agree.

A worker "reconciler" has to run somewhere. If the wait is over before it is done, the same command with the same --period goes on waiting.

Examples:

    seqrflow close --shop acme
    seqrflow close --shop acme --period 2026-11-22 --json`
}

// Run asks for the closing and waits for its end.
func (x closeCmd) Run(c *console) error {
	if x.Period == "" {
		x.Period = time.Now().Format("2006-01-02-150405")
	}
	b, err := x.connect(c)
	if err != nil {
		return err
	}
	defer b.Close()
	switch _, err = b.RequestClose(c.ctx, "cli", x.Shop, x.Period, "asked for at the command line"); {
	case errors.Is(err, bus.ErrPeriodUsed):
		fmt.Fprintf(c.err, "%v; showing what came of it\n", err)
	case err != nil:
		return err
	default:
		fmt.Fprintf(c.err, "closing %s/%s …\n", term.Clean(x.Shop), term.Clean(x.Period))
	}
	ctx, cancel := context.WithTimeout(c.ctx, x.Timeout)
	defer cancel()
	p, err := b.AwaitPeriod(ctx, events.PeriodKeyOf(x.Shop, x.Period))
	if err != nil {
		return x.explain(p, err)
	}
	if x.JSON {
		if err := c.json(p); err != nil {
			return err
		}
	} else {
		c.say("%s", lines(reconciler.Summary(p)))
	}
	if p.State != events.PeriodReconciled {
		return errSaid
	}
	return nil
}

func (x closeCmd) explain(p events.Period, err error) error {
	var stuck *bus.PeriodParkedError
	switch {
	case errors.As(err, &stuck):
		return fmt.Errorf("%w\nWhen the cause is mended: seqrflow parked list --worker reconciler --open, and parked replay", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("not done within %s: the period is %s. Does a reconciler run? Go on waiting with: seqrflow close --shop %s --period %s",
			x.Timeout, orNone(p.State), x.Shop, x.Period)
	}
	return err
}

func orNone(s events.PeriodState) string {
	if s == "" {
		return "asked for"
	}
	return string(s)
}
