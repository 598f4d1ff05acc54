package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type watchCmd struct {
	brokerFlags
	Shop    string   `placeholder:"ID" help:"Only this shop's."`
	Invoice string   `placeholder:"ID" help:"Only this invoice's."`
	Event   []string `placeholder:"NAME" help:"Only these events, e.g. paid,refunded."`
	Since   string   `placeholder:"WHEN" help:"Begin earlier than now: 10m ago, at a sequence number, or all."`
	JSON    bool     `name:"json" help:"One JSON object per line: stream, seq, time, subject, event."`
	Orders  bool     `help:"Order events too."`
	Parked  bool     `help:"What workers could not handle, too."`
}

func (watchCmd) Help() string {
	return `Each line: time with its zone, shop/invoice, event, the state after it, the amount, why. Ends with Ctrl-C.

Events: ` + connections.EventNames() + `

Examples:

    seqrflow watch
    seqrflow watch --shop acme --event paid,refunded --since 1h
    seqrflow watch --orders --parked --since all --json

The same with a plain NATS client: nats sub 'invoices.acme.*.paid'`
}

func (w watchCmd) Validate() error {
	_, err := w.sources(time.Now())
	return err
}

func (w watchCmd) Run(c *console, b *bus.Bus) error {
	sources, err := w.sources(time.Now())
	if err != nil {
		return err
	}
	ready := func() { fmt.Fprintln(c.err, "watching; Ctrl-C ends it") }
	day := c.lines.Day(time.Now())
	return b.Follow(c.ctx, sources, ready, func(e bus.Entry) error {
		if w.JSON {
			return c.json(e)
		}
		if d := c.lines.Day(e.Time); d != day {
			day = d
			fmt.Fprintln(c.out, c.paint().In(term.Dim, day))
		}
		_, err := fmt.Fprintln(c.out, c.lines.Event(e))
		return err
	})
}

func (w watchCmd) sources(now time.Time) ([]bus.Source, error) {
	begin, err := since(w.Since, now)
	if err != nil {
		return nil, err
	}
	shop, invoice := "*", "*"
	if w.Shop != "" {
		shop = events.Token(w.Shop)
	}
	if w.Invoice != "" {
		invoice = events.Token(w.Invoice)
	}
	var filters []string
	for _, n := range w.Event {
		if n = strings.TrimSpace(n); !slices.Contains(events.Names(), events.Name(n)) {
			return nil, fmt.Errorf("--event: there is no event %q; there are %s", n, connections.EventNames())
		}
		filters = append(filters, "invoices."+shop+"."+invoice+"."+n)
	}
	if len(filters) == 0 {
		filters = []string{"invoices." + shop + "." + invoice + ".*"}
	}
	var out []bus.Source
	add := func(stream string, filters ...string) {
		s := begin
		s.Stream, s.Filters = stream, filters
		out = append(out, s)
	}
	add(events.InvoicesStream, filters...)
	if w.Orders {
		add(events.OrdersStream, "orders."+shop+"."+invoice+".*")
	}
	if w.Parked {
		add(events.ParkedStream, "parked.*."+shop+"."+invoice)
	}
	return out, nil
}

// since reads "all", a sequence number, or how long ago.
func since(text string, now time.Time) (bus.Source, error) {
	if text == "" {
		return bus.Source{}, nil
	}
	if text == "all" {
		return bus.Source{All: true}, nil
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil && seq > 0 {
		return bus.Source{Seq: seq}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return bus.Source{Since: now.Add(-d)}, nil
	}
	return bus.Source{}, fmt.Errorf("--since: expected a time span such as 10m, a sequence number, or all; got %q", text)
}
