package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/reconciler"
)

type refundsCmd struct {
	List    refundsListCmd    `cmd:"" help:"Refunds in doubt or stuck, with what is known of each."`
	Resolve refundsResolveCmd `cmd:"" help:"Record what was found out about one of them."`
}

// openRefund is one refund in doubt or stuck.
type openRefund struct {
	Shop         string        `json:"shop"`
	InvoiceID    string        `json:"invoiceId"`
	Currency     string        `json:"currency"`
	ErsReference string        `json:"ersReference"`
	Refund       events.Refund `json:"refund"`
	Reports      []string      `json:"reports"` // what the periods' comparisons say of it
}

// refundsInDoubt finds every refund that is in doubt or stuck now, oldest first.
func refundsInDoubt(ctx context.Context, b *bus.Bus, shop string) ([]openRefund, error) {
	if _, err := b.MeasureClock(ctx); err != nil { // how long a refund has been sending is judged by the broker's clock
		return nil, err
	}
	var s reconciler.Survey
	if err := s.Read(ctx, b); err != nil {
		return nil, err
	}
	refunds, err := s.Refunds(ctx, b)
	if err != nil {
		return nil, err
	}
	var out []openRefund
	for _, r := range refunds {
		if inv := r.Invoice; shop == "" || events.Token(shop) == events.Token(inv.Shop) {
			out = append(out, openRefund{inv.Shop, inv.InvoiceID, inv.Currency, inv.ErsReference, r.Refund, []string{}})
		}
	}
	return out, nil
}

// reported adds what the comparisons of closed periods say of each refund, and calls unreadable for each comparison that cannot be read.
func reported(ctx context.Context, b *bus.Bus, refunds []openRefund, unreadable func(bus.Entry, error)) error {
	if len(refunds) == 0 {
		return nil
	}
	_, err := b.Scan(ctx, bus.Scan{Stream: events.PeriodsStream, Filters: []string{"periods.*.*." + string(events.EventMismatched)}}, func(m bus.Entry) error {
		p, err := events.DecodePeriod(m.Body)
		if err != nil {
			unreadable(m, err)
			return nil
		}
		for i, r := range refunds {
			for _, l := range p.Lines {
				ref := events.RefundRef{Shop: r.Shop, InvoiceID: r.InvoiceID, RefundID: r.Refund.RefundID}
				if l.Kind == events.RefundDiffers && (events.RefundRef{Shop: l.Shop, InvoiceID: l.InvoiceID, RefundID: l.RefundID} == ref || slices.Contains(l.Fits, ref)) {
					refunds[i].Reports = append(refunds[i].Reports, "period "+p.Period+": "+l.Text)
				}
			}
		}
		return nil
	})
	return err
}

type refundsListCmd struct {
	brokerFlags
	Shop string `placeholder:"ID" help:"Only this shop's."`
	JSON bool   `name:"json" help:"One JSON object per line."`
}

func (l refundsListCmd) Run(c *console, b *bus.Bus) error {
	all, err := refundsInDoubt(c.ctx, b, l.Shop)
	if err != nil {
		return err
	}
	err = reported(c.ctx, b, all, func(m bus.Entry, err error) {
		fmt.Fprintf(c.err, "message %d of %s, %s, cannot be read, and what it says of these refunds is not shown: %s\n", m.Seq, events.PeriodsStream, term.Clean(m.Subject), term.Clean(err.Error()))
	})
	if err != nil {
		return err
	}
	err = list[openRefund]{
		all: all, none: "no refund is in doubt",
		head: []string{"invoice", "refund", "amount", "status", "attempts", "asked", "payment's ersReference", "why in doubt"}, right: []int{2, 4},
		row: func(d openRefund) []string {
			return []string{d.Shop + "/" + d.InvoiceID, d.Refund.RefundID, d.Refund.Amount.In(d.Currency) + " " + d.Currency,
				string(d.Refund.Status), fmt.Sprint(d.Refund.Attempts), c.lines.Date(d.Refund.AskedAt), d.ErsReference, term.Clip(d.Refund.Detail, maxReason)}
		},
	}.print(c, l.JSON)
	if err != nil || l.JSON || len(all) == 0 {
		return err
	}
	for _, d := range all {
		for _, r := range d.Reports {
			c.say("\n%s", term.Clean(fmt.Sprintf("%s/%s %s: %s", d.Shop, d.InvoiceID, d.Refund.RefundID, r)))
		}
	}
	c.say("\nAsk the provider whether the payment has a refund of that amount, then record it with \"seqrflow refunds resolve\".")
	return nil
}

type refundsResolveCmd struct {
	brokerFlags
	Invoice      invoiceArg `arg:"" placeholder:"SHOP/INVOICE" help:"As refunds list shows it."`
	Refund       string     `arg:"" placeholder:"REFUND" help:"The refund's id."`
	Happened     bool       `xor:"what" required:"" help:"The provider has paid back."`
	Not          bool       `name:"did-not-happen" xor:"what" required:"" help:"The provider has not paid back: the amount may be asked for again, under another refund id."`
	ErsReference string     `placeholder:"REF" help:"With --happened: the provider's reference of the refund."`
	By           string     `required:"" help:"The name of the person who found it out."`
	Note         string     `help:"How it was found out."`
}

func (refundsResolveCmd) Help() string {
	return `Nothing is sent to the provider: the decision is recorded as an event of the invoice. A refund that waits for another attempt can be settled too: then no more attempts are made.

A refund that seqrflow asked for itself (` + strings.Join(events.ReservedRefunds(), ", ") + `) and that did not happen is asked for again, under its id with -rest. If you have paid the buyer back in another way, say --happened.

Examples:

    seqrflow refunds resolve acme/1001 r-17 --happened --ers-reference 2026112220235611400000002 --by 'Ann, support'

    seqrflow refunds resolve acme/1001 r-17 --did-not-happen --by Ann --note 'case 4711 with the provider'`
}

func (r refundsResolveCmd) Validate() error {
	if r.Not && r.ErsReference != "" {
		return errors.New("--ers-reference goes with --happened")
	}
	return nil
}

func (r refundsResolveCmd) Run(c *console, b *bus.Bus) error {
	why := r.By + " found that it was not paid back"
	if r.Happened {
		why = r.By + " found that it was paid back"
	}
	if r.Note != "" {
		why += ": " + r.Note
	}
	if _, err := b.MeasureClock(c.ctx); err != nil { // a clock that is ahead would settle a refund that is being sent
		return err
	}
	inv, err := b.Update(c.ctx, "operator", r.Invoice.Key, func(i events.Invoice) (events.Invoice, error) {
		known, ok := i.Refund(r.Refund)
		if !ok {
			return i, fmt.Errorf("there is no refund %q of this invoice; see: seqrflow refunds list", r.Refund)
		}
		if known.Status == events.RefundSending && !reconciler.Unsettled(i, known, b.Now()) {
			return i, fmt.Errorf("refund %q is being sent; only after %s without an outcome may it be settled by hand", r.Refund, reconciler.StuckAfter)
		}
		return i.RefundSettled(r.Refund, r.Happened, r.ErsReference, events.Fact{At: b.Now(), Why: why, By: "operator"})
	})
	if err != nil {
		return fmt.Errorf("%s: %w", r.Invoice.Key, err)
	}
	c.say("recorded  %s  %s  %s, %s left to refund", inv.Change.Event, inv.State, why, inv.Remaining().In(inv.Currency))
	return nil
}
