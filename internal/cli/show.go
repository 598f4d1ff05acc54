package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/orderfile"
	"github.com/seqrflow/seqrflow/pkg/events"
)

type showCmd struct {
	brokerFlags
	Invoice invoiceArg `arg:"" placeholder:"SHOP/INVOICE" help:"Which invoice, e.g. acme/1001."`
	JSON    bool       `name:"json" help:"One JSON object: the current invoice and its whole history."`
	QR      bool       `name:"qr" help:"The QR code that the buyer scans, too."`

	Exchanges bool `help:"What went over the wire, secrets masked; kept when the workers run with --record-exchanges."`
	Reference bool `help:"Nothing but the invoiceReference, the provider's name of the bill."`
}

func (showCmd) Help() string {
	return `Order events, invoice events and parked messages of one invoice in the order of time, with the provider calls they rest on; then the refunds, how things stand, and which worker it waits for or fails in, as running workers tell.

Examples:

    seqrflow show acme/1001
    seqrflow show 'acme/order 7.1' --json
    seqrflow show acme/1001 --qr`
}

// life is all that the streams and the workers have of one invoice.
type life struct {
	Shop    string          `json:"shop"` // this and the invoice are subject tokens
	Invoice string          `json:"invoice"`
	State   events.State    `json:"state"`
	Current *events.Invoice `json:"current"` // nil when there is no event of it yet
	History []bus.Entry     `json:"history"`
	Stuck   []bus.Stuck     `json:"stuck,omitempty"` // why it is where it is
}

func (s showCmd) Run(c *console, b *bus.Bus) error {
	k := s.Invoice.Key
	l, err := lifeOf(c.ctx, b, k)
	if err != nil {
		return err
	}
	if len(l.History) == 0 {
		return fmt.Errorf("there is nothing of %s: no order event, no invoice event, nothing parked", k)
	}
	if s.Reference {
		if l.Current == nil || l.Current.InvoiceReference == "" {
			return fmt.Errorf("%s has no invoiceReference: the provider has not issued it", k)
		}
		c.say("%s", l.Current.InvoiceReference)
		return nil
	}
	if l.Stuck, err = stuckOf(c.ctx, b, l); err != nil {
		return err
	}
	if s.JSON {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(l)
	}
	c.showLife(l)
	if s.QR {
		if err := c.showQR(l.Current); err != nil {
			return err
		}
	}
	if s.Exchanges {
		return c.showExchanges(b, k)
	}
	return nil
}

// lifeOf reads nothing but the messages of the invoice and its order: their number decides what it costs, not the age of the
// invoice nor the length of the streams.
func lifeOf(ctx context.Context, b *bus.Bus, k events.Key) (life, error) {
	l := life{Shop: k.Shop, Invoice: k.Invoice, State: events.None}
	order := k.Invoice
	_, err := b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, Filters: []string{k.All()}}, func(e bus.Entry) error {
		inv, err := events.DecodeInvoice(e.Body)
		if err != nil {
			return err
		}
		l.History, l.Current, l.State, order = append(l.History, e), &inv, inv.State, events.Token(inv.OrderID)
		return nil
	})
	if err != nil {
		return l, err
	}
	_, err = b.Scan(ctx, bus.Scan{Stream: events.OrdersStream, Filters: []string{"orders." + k.Shop + "." + order + ".*"}}, func(e bus.Entry) error {
		if seen := orderfile.Glance(e.Subject, e.Body); events.Token(seen.Invoice) == k.Invoice || seen.Invoice == order && order == k.Invoice {
			l.History = append(l.History, e)
		}
		return nil
	})
	if err != nil {
		return l, err
	}
	filters := []string{"parked.*." + k.Shop + "." + k.Invoice}
	if order != k.Invoice {
		filters = append(filters, "parked.*."+k.Shop+"."+order)
	}
	_, err = b.Scan(ctx, bus.Scan{Stream: events.ParkedStream, Filters: filters}, func(e bus.Entry) error {
		l.History = append(l.History, e)
		return nil
	})
	slices.SortStableFunc(l.History, func(a, b bus.Entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Seq, b.Seq)) })
	return l, err
}
