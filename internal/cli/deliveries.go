package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/internal/connections"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/notifier"
)

type deliveriesCmd struct {
	List   deliveriesListCmd   `cmd:"" help:"What waits at each destination, and the last attempt for each invoice."`
	Show   deliveriesShowCmd   `cmd:"" help:"Every attempt to tell about one invoice."`
	Resend deliveriesResendCmd `cmd:"" help:"Tell a destination about events of an invoice once more."`
}

// delivery is one attempt, as it is recorded.
type delivery struct {
	events.DeliveryAttempt
	Seq uint64 `json:"seq"` // on DELIVERIES
}

// deliveries gives the attempts that are recorded on the subjects, oldest first.
func deliveries(ctx context.Context, b *bus.Bus, s bus.Scan) (all []delivery, err error) {
	s.Stream = events.DeliveriesStream
	_, err = b.Scan(ctx, s, func(e bus.Entry) error {
		a, err := events.DecodeDelivery(e.Body)
		if err != nil {
			a.Detail = "this record cannot be read: " + err.Error()
		}
		all = append(all, delivery{a, e.Seq})
		return nil
	})
	return all, err
}

// deliveries lists attempts; none is what is said where there are none.
func (c *console) deliveries(all []delivery, none string) list[delivery] {
	return list[delivery]{
		all: all, none: none, head: []string{"when", "invoice", "destination", "event", "attempt", "outcome", "code", "next", "detail"}, right: []int{4, 6},
		row: func(d delivery) []string {
			code, status := "", string(d.Status)
			if d.Code > 0 {
				code = fmt.Sprint(d.Code)
			}
			if d.Resent {
				status += ", resent"
			}
			return []string{c.lines.Date(d.At), d.Shop + "/" + d.InvoiceID, d.Destination, string(d.Event), fmt.Sprint(d.Attempt), status, code,
				c.lines.DateOf(d.NextAt), term.Clip(d.Detail, maxReason)}
		},
	}
}

type deliveriesListCmd struct {
	brokerFlags
	connectionsFlag
	Shop        string        `placeholder:"ID" help:"Only this shop's."`
	Destination string        `placeholder:"NAME" help:"Only this destination's."`
	All         bool          `help:"Every attempt, also of what was delivered or skipped."`
	Since       time.Duration `default:"24h" help:"How far back (${default})."`
	JSON        bool          `name:"json" help:"One JSON object per line."`
}

func (deliveriesListCmd) Help() string {
	return `First each destination with the number of events that wait for it. Then, for each invoice and destination, the last attempt if it was neither delivered nor skipped. A destination of which there is a consumer and no connection is named: its events wait until the connection is there again, or its consumer is removed.

Example:

    seqrflow deliveries list --shop acme --since 1h --all`
}

func (l deliveriesListCmd) Validate() error {
	if l.Since <= 0 {
		return fmt.Errorf("--since: expected a time span such as 1h, got %s", l.Since)
	}
	if l.Destination != "" {
		return checkDestination(l.Destination)
	}
	return nil
}

func checkDestination(name string) error {
	if !events.IsToken(name) {
		return fmt.Errorf("--destination: expected the name of a destination, such as woocommerce, got %q", name)
	}
	return nil
}

func (l deliveriesListCmd) Run(c *console, b *bus.Bus) error {
	f, err := l.load()
	if err != nil {
		return err
	}
	all, err := deliveries(c.ctx, b, bus.Scan{Since: b.Now().Add(-l.Since)})
	if err != nil {
		return err
	}
	others := func(shop, destination string) bool {
		return l.Shop != "" && events.Token(l.Shop) != events.Token(shop) || l.Destination != "" && l.Destination != destination
	}
	all = slices.DeleteFunc(all, func(d delivery) bool { return others(d.Shop, d.Destination) })
	if !l.All {
		all = unfinished(all)
	}
	if !l.JSON {
		waiting, err := destinations(c.ctx, b, f, l.ConnectionsFile != "")
		if err != nil {
			return err
		}
		waiting = slices.DeleteFunc(waiting, func(row []string) bool { return others(row[0], row[1]) })
		if len(waiting) > 0 {
			c.table([]string{"shop", "destination", "waiting", ""}, waiting, 2)
		} else {
			c.say("there is no such destination: no connection of the notifier's has one")
		}
		c.say("")
	}
	return c.deliveries(all, "no attempt that failed; --all shows the others").print(c, l.JSON)
}

// unfinished keeps the last attempt for each invoice and destination, unless it was delivered or skipped.
func unfinished(all []delivery) (out []delivery) {
	type of struct{ shop, invoice, destination string }
	last := map[of]int{}
	for i, d := range all {
		last[of{d.Shop, d.InvoiceID, d.Destination}] = i
	}
	for i, d := range all {
		if last[of{d.Shop, d.InvoiceID, d.Destination}] == i && d.Status != events.DeliveryDelivered && d.Status != events.DeliverySkipped {
			out = append(out, d)
		}
	}
	return out
}

// destinations gives a row for each destination that has a consumer or a connection.
func destinations(ctx context.Context, b *bus.Bus, f connections.File, known bool) (rows [][]string, err error) {
	durables, err := b.Durables(ctx, events.InvoicesStream, notifier.ConsumerPrefix)
	if err != nil {
		return nil, err
	}
	for _, d := range durables {
		shop, destination, ok := notifier.ParseConsumerName(d.Name)
		if !ok {
			continue
		}
		note := ""
		switch id, conn, there := f.Of(shop); {
		case !known:
		case !there || !slices.Contains(conn.Destinations(), destination):
			note = "no such connection: its events are kept"
		case conn.Disabled(destination):
			shop, note = id, "disabled: its events are kept"
		default:
			shop = id
		}
		rows = append(rows, []string{shop, destination, fmt.Sprint(d.Waiting), note})
	}
	slices.SortFunc(rows, slices.Compare)
	return rows, nil
}

type deliveriesShowCmd struct {
	brokerFlags
	Invoice invoiceArg `arg:"" placeholder:"SHOP/INVOICE" help:"The invoice."`
	JSON    bool       `name:"json" help:"One JSON object per line."`
}

func (s deliveriesShowCmd) Run(c *console, b *bus.Bus) error {
	all, err := deliveriesOf(c.ctx, b, s.Invoice.Key)
	if err != nil {
		return err
	}
	return c.deliveries(all, "no destination was told of this invoice in the last 30 days").print(c, s.JSON)
}

// deliveriesOf gives the attempts of an invoice at every destination of its shop.
func deliveriesOf(ctx context.Context, b *bus.Bus, k events.Key) ([]delivery, error) {
	all, err := deliveries(ctx, b, bus.Scan{Filters: []string{"deliveries." + k.Shop + ".*." + k.Invoice}})
	slices.SortFunc(all, func(a, b delivery) int { return int(a.Seq) - int(b.Seq) })
	return all, err
}

type deliveriesResendCmd struct {
	brokerFlags
	Invoice     invoiceArg `arg:"" placeholder:"SHOP/INVOICE" help:"The invoice."`
	Destination string     `required:"" placeholder:"NAME" help:"woocommerce, shopify, or the name of a webhook."`
	Event       []string   `placeholder:"EVENT" help:"Which events, such as paid. Those whose last attempt was refused or given up unless given."`
	DryRun      bool       `name:"dry-run" help:"Only say what would happen."`
}

func (deliveriesResendCmd) Help() string {
	return `The notifier takes the event once more, from its stream, whatever became of it before: delivered, refused or given up. It comes before and beside everything that waits for the destination, and may come after a later event of the invoice. A shop's system is looked at before it is changed, and a webhook has the same id as before, so nothing happens twice.

Examples:

    seqrflow deliveries resend acme/1001 --destination erp --dry-run
    seqrflow deliveries resend acme/1001 --destination woocommerce --event paid`
}

func (r deliveriesResendCmd) Validate() error {
	for _, e := range r.Event {
		if !slices.Contains(events.Names(), events.Name(e)) {
			return fmt.Errorf("--event: there is no event %q; there are %s", e, connections.EventNames())
		}
	}
	return checkDestination(r.Destination)
}

func (r deliveriesResendCmd) Run(c *console, b *bus.Bus) error {
	chosen, err := r.choose(c.ctx, b)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		c.say("nothing to resend: no event of %s was refused by %s or given up (--event names others)", r.Invoice.Key, r.Destination)
		return nil
	}
	consumer := bus.Consumer{Worker: notifier.Name, Name: notifier.ConsumerName(r.Invoice.Shop, r.Destination)}
	there, err := b.Durables(c.ctx, events.InvoicesStream, consumer.Name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(there, func(d bus.ConsumerState) bool { return d.Name == consumer.Name }) {
		return fmt.Errorf("the shop has no destination %s (see: seqrflow deliveries list)", r.Destination)
	}
	for _, e := range chosen {
		if r.DryRun {
			c.say("would resend  %s  %s  to %s", r.Invoice.Key, term.Clean(eventOf(e)), r.Destination)
			continue
		}
		if err := r.resend(c.ctx, b, consumer, e); err != nil {
			return err
		}
		c.say("resent  %s  %s  to %s; see: seqrflow deliveries show %s", r.Invoice.Key, term.Clean(eventOf(e)), r.Destination, r.Invoice.word)
	}
	return nil
}

// choose gives the events of INVOICES that are to be sent.
func (r deliveriesResendCmd) choose(ctx context.Context, b *bus.Bus) (chosen []bus.Entry, err error) {
	failed := map[uint64]bool{} // by sequence on INVOICES
	all, err := deliveriesOf(ctx, b, r.Invoice.Key)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.Destination == r.Destination {
			failed[d.Sequence] = d.Status == events.DeliveryRefused || d.Status == events.DeliveryGivenUp
		}
	}
	_, err = b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, Filters: []string{r.Invoice.All()}}, func(e bus.Entry) error {
		if len(r.Event) == 0 && failed[e.Seq] || slices.Contains(r.Event, eventOf(e)) {
			chosen = append(chosen, e)
		}
		return nil
	})
	return chosen, err
}

// eventOf gives the event that the message's subject names.
func eventOf(e bus.Entry) string { return e.Subject[strings.LastIndexByte(e.Subject, '.')+1:] }

// resend has one event sent: what is parked is replayed, so that it waits for a person no more.
func (r deliveriesResendCmd) resend(ctx context.Context, b *bus.Bus, consumer bus.Consumer, e bus.Entry) error {
	parked, err := b.ParkedOf(ctx, consumer, e)
	if err != nil {
		return err
	}
	if parked != nil {
		return b.Replay(ctx, *parked)
	}
	return b.Resend(ctx, consumer, e)
}
