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
	broker
	Invoice invoiceArg `arg:"" placeholder:"SHOP/INVOICE" help:"Which invoice, e.g. acme/1001."`
	JSON    bool       `name:"json" help:"One JSON object: the current invoice and its whole history."`
	QR      bool       `name:"qr" help:"The QR code that the buyer scans, too."`

	Exchanges bool `help:"What went over the wire, secrets masked; kept when the workers run with --record-exchanges."`
	Reference bool `help:"Nothing but the invoiceReference, the provider's name of the bill."`
}

// Help shows examples.
func (showCmd) Help() string {
	return `Order events, invoice events and parked messages of one invoice in the order of time, with the provider calls they rest on; then the refunds, how things stand, and which worker it waits for or fails in, as running workers tell.

Examples:

    seqrflow show acme/1001
    seqrflow show 'acme/order 7.1' --json
    seqrflow show acme/1001 --qr`
}

// life is all there is of one invoice.
type life struct {
	Key     events.Key
	Current *events.Invoice // nil when there is no event of it yet
	History []bus.Entry
	Stuck   []bus.Stuck // why it is where it is
}

// MarshalJSON writes the form of --json.
func (l life) MarshalJSON() ([]byte, error) {
	state := events.None
	if l.Current != nil {
		state = l.Current.State
	}
	return json.Marshal(struct {
		Shop    string          `json:"shop"`
		Invoice string          `json:"invoice"`
		State   events.State    `json:"state"`
		Current *events.Invoice `json:"current"`
		History []bus.Entry     `json:"history"`
		Stuck   []bus.Stuck     `json:"stuck,omitempty"`
	}{l.Key.Shop, l.Key.Invoice, state, l.Current, l.History, l.Stuck})
}

// Run prints the life of the invoice.
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
		return c.showReference(l)
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
	l := life{Key: k}
	order := k.Invoice
	_, err := b.Scan(ctx, bus.Scan{Stream: events.InvoicesStream, Filters: []string{k.All()}}, func(e bus.Entry) error {
		l.History = append(l.History, e)
		inv, err := bus.DecodeInvoice(e.Body)
		if err != nil {
			return err
		}
		l.Current, order = &inv, events.Token(inv.OrderID)
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
	if err != nil {
		return l, err
	}
	slices.SortStableFunc(l.History, func(a, b bus.Entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Seq, b.Seq)) })
	return l, nil
}

func (c *console) showReference(l life) error {
	if l.Current == nil || l.Current.InvoiceReference == "" {
		return fmt.Errorf("%s has no invoiceReference: the provider has not issued it", l.Key)
	}
	c.say("%s", l.Current.InvoiceReference)
	return nil
}
