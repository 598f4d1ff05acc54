package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nuid"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type orderCmd struct {
	Place  placeCmd  `cmd:"" help:"Take payment for an order."`
	Cancel cancelCmd `cmd:"" help:"The order is off: cancel the invoice, or refund it if it is paid."`
	Return returnCmd `cmd:"" help:"Refund all of a paid order or part of it."`
}

// publishing is what the order commands share.
type publishing struct {
	brokerFlags
	NoCheck bool `name:"no-check" help:"Publish it as it is, valid or not; the workers park what they can't read."`
}

type cancelCmd struct {
	publishing
	Shop    string `required:"" placeholder:"ID" help:"The shop."`
	Order   string `required:"" placeholder:"ID" help:"The order."`
	Invoice string `placeholder:"ID" help:"Which try at paying it, if there were several."`
	Reason  string `placeholder:"TEXT" help:"Why; kept with the invoice."`
}

func (cancelCmd) Help() string {
	return `An open invoice is canceled. A paid one is refunded in full. An order that is placed after its cancellation makes no invoice.

Example:

    seqrflow order cancel --shop acme --order 1001 --reason 'out of stock'`
}

func (x cancelCmd) Run(c *console) error {
	return x.publishFields(c, events.OrderCanceled, fields{"orderId": x.Order, "invoiceId": x.Invoice, "shop": x.Shop, "reason": x.Reason})
}

type returnCmd struct {
	publishing
	Shop    string `required:"" placeholder:"ID" help:"The shop."`
	Order   string `required:"" placeholder:"ID" help:"The order."`
	Invoice string `placeholder:"ID" help:"Which try at paying it, if there were several."`
	Refund  string `required:"" placeholder:"ID" help:"The shop's own id of this refund; the same id never pays twice."`
	Amount  string `placeholder:"AMOUNT" help:"What to pay back, in the order's currency; all that is left unless given."`
	Reason  string `placeholder:"TEXT" help:"Why; kept with the refund."`
}

func (returnCmd) Help() string {
	return `Examples:

    seqrflow order return --shop acme --order 1001 --refund r-1 --amount 75.00 --reason 'one mug broken'
    seqrflow order return --shop acme --order 1001 --refund r-2`
}

func (x returnCmd) Run(c *console) error {
	return x.publishFields(c, events.Returned, fields{"orderId": x.Order, "invoiceId": x.Invoice, "shop": x.Shop, "refundId": x.Refund, "amount": x.Amount, "reason": x.Reason})
}

// source of the events that the command line publishes.
const source = "/seqrflow/cli"

// publish checks all events, and publishes all of them or none.
func (p publishing) publish(c *console, evs []orderfile.Event) error {
	if err := p.check(evs); err != nil {
		return err
	}
	b, err := p.connect(c)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err := b.LastSeq(c.ctx, events.OrdersStream); bus.IsMissing(err) {
		return err // what else goes wrong is not the publisher's: a shop's user may not look at streams
	}
	for i, e := range evs {
		if err := p.store(c, b, e); err != nil {
			return fmt.Errorf("%s: %w (%d of %d were stored before)", e.Subject(), err, i, len(evs))
		}
		c.say("stored  %s", e.Subject())
	}
	if len(evs) == 1 && c.terminal {
		c.say("look at it: seqrflow show %s", evs[0].Key())
	}
	return nil
}

// publishFields publishes one event that is made of flags.
func (p publishing) publishFields(c *console, name events.OrderName, data fields) error {
	maps.DeleteFunc(data, func(_ string, v any) bool { return v == "" })
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	e, err := orderfile.Parse(body, name)
	if err != nil {
		return err
	}
	return p.publish(c, []orderfile.Event{e})
}

func (p publishing) check(evs []orderfile.Event) error {
	if p.NoCheck {
		return nil
	}
	var errs []error
	for _, e := range evs {
		if err := e.Check(); err != nil {
			errs = append(errs, describe(e, err))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("nothing was published:\n%w", errors.Join(errs...))
	}
	return nil
}

// describe puts each problem of an event on a line of its own.
func describe(e orderfile.Event, err error) error {
	where := fmt.Sprintf("%s/%s %s", e.Shop, e.Order, e.Name)
	if e.Line > 0 {
		where = fmt.Sprintf("line %d, %s", e.Line, where)
	}
	var ps events.Problems
	if !errors.As(err, &ps) {
		return fmt.Errorf("  %s: %w", where, err)
	}
	var out []error
	for _, p := range ps {
		out = append(out, fmt.Errorf("  %s: %w", where, p))
	}
	return errors.Join(out...)
}

// storeTime is how long the broker may take to store one event.
const storeTime = 10 * time.Second

// store publishes a CloudEvent as it is, and puts bare data into one.
func (p publishing) store(c *console, b *bus.Bus, e orderfile.Event) error {
	ctx, cancel := context.WithTimeout(c.ctx, storeTime)
	defer cancel()
	done := c.tellSlow(fmt.Sprintf("waiting for the broker at %s to store %s, for %s at most …", bus.Address(p.NATS), e.Subject(), storeTime))
	defer done()
	if e.ID != "" || !json.Valid(e.Body) {
		return b.PublishRaw(ctx, e.Subject(), e.ID, e.Body)
	}
	return b.PublishOrder(ctx, source, e.Shop, e.Order, nuid.Next(), e.Name, json.RawMessage(e.Body))
}

// fields of an order event that flags have set; an empty text is left out.
type fields map[string]any
