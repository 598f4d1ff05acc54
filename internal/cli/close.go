package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

type closeCmd struct {
	brokerFlags
	Shop    string        `required:"" placeholder:"ID" help:"The shop. What is closed is the period of the shop's terminal, and so of every shop on that terminal."`
	Period  string        `placeholder:"NAME" help:"Your name of the period; the time of day unless given. A name is used once."`
	Timeout time.Duration `default:"2m" help:"How long to wait for the comparison (${default})."`
	Yes     bool          `short:"y" help:"Do not ask. Needed without a terminal, as in cron."`
	JSON    bool          `name:"json" help:"The whole reconciliation as one JSON object."`

	WithoutOrders bool   `help:"Close although the shop has never had an order here."`
	ShopsFile     string `env:"SEQRFLOW_SHOPS_FILE" type:"path" placeholder:"FILE" help:"The reconciler's shops file, if it is at hand: it tells the terminal before the shop's first invoice does."`
}

func (closeCmd) Help() string {
	return `Asks the reconciler to mark the period at the provider, fetch its report, and compare it with our ledger: every payment and refund on both sides, to the cent. Exit code 0 only when the two agree.

Before anything is closed it says which terminal's period that is and which shops sell on it, and asks; --yes answers. A closing can't be taken back.

A worker "reconciler" has to run somewhere. If the wait is over before it is done, the same command with the same --period goes on waiting.

Examples:

    seqrflow close --shop acme
    seqrflow close --shop acme --period 2026-11-22 --yes --json`
}

func (x closeCmd) Validate() error {
	if x.Timeout <= 0 {
		return fmt.Errorf("--timeout: expected more than 0, got %s", x.Timeout)
	}
	return nil
}

func (x closeCmd) Run(c *console, b *bus.Bus) error {
	if x.Period == "" {
		x.Period = time.Now().Format("2006-01-02-150405")
	}
	if ask, err := x.confirmed(c, b); err != nil || !ask {
		return err
	}
	switch _, err := reconciler.RequestClose(c.ctx, b, "cli", x.Shop, x.Period, "asked for at the command line"); {
	case errors.Is(err, reconciler.ErrUsed):
		fmt.Fprintf(c.err, "%v; showing what came of it\n", err)
	case err != nil:
		return err
	default:
		fmt.Fprintf(c.err, "closing %s/%s …\n", term.Clean(x.Shop), term.Clean(x.Period))
	}
	ctx, cancel := context.WithTimeout(c.ctx, x.Timeout)
	defer cancel()
	p, err := reconciler.Await(ctx, b, events.PeriodKeyOf(x.Shop, x.Period))
	if err != nil {
		return x.explain(p, err)
	}
	return c.report(p, x.JSON, p.State == events.PeriodReconciled, func() { c.say("%s", lines(reconciler.Summary(p))) })
}

// confirmed prints what is about to be closed, and asks for a confirmation. It asks nothing if the period's name was used before:
// then nothing is closed.
func (x closeCmd) confirmed(c *console, b *bus.Bus) (bool, error) {
	if known, err := b.LoadPeriod(c.ctx, events.PeriodKeyOf(x.Shop, x.Period)); err != nil || known.Seq > 0 {
		return true, err
	}
	settings, err := app.LoadShops(x.ShopsFile, c.settings)
	if err != nil && settings == nil { // passwords that can't be read are not needed
		return false, usageError{err}
	}
	done := c.tellSlow("reading what was recorded since the terminal's last closing …")
	scope, err := scopeOf(c.ctx, b, x.Shop, settings)
	done()
	switch {
	case err != nil:
		return false, err
	case !scope.ordered && !x.WithoutOrders:
		return false, fmt.Errorf("nothing was closed: there has never been an order of the shop %q. Is it spelt as in its orders? If it is right, add --without-orders", x.Shop)
	}
	fmt.Fprintln(c.err, scope.text(c.lines))
	switch {
	case x.Yes:
		return true, nil
	case !term.IsTerminal(c.in):
		return false, wrongUsage("nothing was closed: nobody can be asked here; add --yes")
	case !c.confirm("A closing can't be taken back."):
		return false, errors.New("nothing was closed")
	}
	return true, nil
}

func (x closeCmd) explain(p events.Period, err error) error {
	var stuck *reconciler.ParkedError
	switch {
	case errors.As(err, &stuck):
		return fmt.Errorf("%w\nWhen the cause is mended: seqrflow parked list --worker reconciler --open, and parked replay", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("not done within %s: the period is %s. Does a reconciler run? Go on waiting with: seqrflow close --shop %s --period %s",
			x.Timeout, cmp.Or(string(p.State), "asked for"), shellWord(x.Shop), shellWord(x.Period))
	}
	return err
}

// shellWord is the text as a shell takes it for one word.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
