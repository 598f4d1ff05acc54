package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type periodsCmd struct {
	List periodsListCmd `cmd:"" help:"Every period that was asked for, how far it is, and its differences."`
}

type periodsListCmd struct {
	brokerFlags
	Shop string `placeholder:"ID" help:"Only this shop's."`
	JSON bool   `name:"json" help:"One JSON object per line: the whole period."`
}

func (periodsListCmd) Help() string {
	return `The period that was asked for last comes last. The reconciliation of one, in words: seqrflow close --shop acme --period NAME; a name that was used closes nothing.

Examples:

    seqrflow periods list
    seqrflow periods list --shop acme --json`
}

func (l periodsListCmd) Run(c *console, b *bus.Bus) error {
	all, err := periodsOf(c.ctx, b, l.Shop)
	if err != nil {
		return err
	}
	return list[events.Period]{
		all: all, none: "no period was asked for",
		head: []string{"shop", "period", "state", "terminal", "asked", "marked", "compared", "differences"}, right: []int{7},
		row: func(p events.Period) []string {
			differences := ""
			if p.State.Ended() {
				differences = fmt.Sprint(p.Differences)
			}
			return []string{p.Shop, p.Period, strings.ToLower(string(p.State)), p.Terminal, c.lines.DateOf(p.RequestedAt),
				c.lines.DateOf(p.MarkedAt), c.lines.DateOf(p.ComparedAt), differences}
		},
	}.print(c, l.JSON)
}

// periodsOf gives every period, of one shop or of all, as its last event has it; the last asked for comes last.
func periodsOf(ctx context.Context, b *bus.Bus, shop string) ([]events.Period, error) {
	at := map[events.PeriodKey]int{}
	var all []events.Period
	_, err := b.Scan(ctx, bus.Scan{Stream: events.PeriodsStream}, func(e bus.Entry) error {
		p, err := events.DecodePeriod(e.Body)
		if err != nil {
			return nil // no reconciler and no request wrote it
		}
		if i, known := at[p.Key()]; known {
			all[i] = p
		} else if shop == "" || events.Token(p.Shop) == events.Token(shop) {
			at[p.Key()] = len(all)
			all = append(all, p)
		}
		return nil
	})
	return all, err
}
