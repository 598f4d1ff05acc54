package cli

import (
	"fmt"
	"strings"

	"github.com/seqrflow/seqrflow/pkg/events"
)

type periodsCmd struct {
	List periodsListCmd `cmd:"" help:"Every period that was asked for, how far it is, and its differences."`
}

type periodsListCmd struct {
	broker
	Shop string `placeholder:"ID" help:"Only this shop's."`
	JSON bool   `name:"json" help:"One JSON object per line: the whole period."`
}

// Help shows examples.
func (periodsListCmd) Help() string {
	return `The period that was asked for last comes last. The reconciliation of one, in words: seqrflow close --shop acme --period NAME; a name that was used closes nothing.

Examples:

    seqrflow periods list
    seqrflow periods list --shop acme --json`
}

// Run prints a table.
func (l periodsListCmd) Run(c *console) error {
	b, err := l.connect(c)
	if err != nil {
		return err
	}
	defer b.Close()
	all, err := periodsOf(c.ctx, b, l.Shop)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, p := range all {
		if l.JSON {
			if err := c.json(p); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{p.Shop, p.Period, strings.ToLower(string(p.State)), p.Terminal, c.lines.DateOf(p.RequestedAt),
			c.lines.DateOf(p.MarkedAt), c.lines.DateOf(p.ComparedAt), differenceCount(p)})
	}
	switch {
	case l.JSON:
	case len(rows) == 0:
		c.say("no period was asked for")
	default:
		c.table([]string{"shop", "period", "state", "terminal", "asked", "marked", "compared", "differences"}, rows, 7)
	}
	return nil
}

// differenceCount of a compared period; "" before.
func differenceCount(p events.Period) string {
	if !p.State.Ended() {
		return ""
	}
	return fmt.Sprint(p.Differences)
}
