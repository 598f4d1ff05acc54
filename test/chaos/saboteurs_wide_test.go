package chaos

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	outcomes "github.com/seqrflow/seqrflow/internal/calls"
	"github.com/seqrflow/seqrflow/internal/rig"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// trusting is a refunder that believes whatever says that it is a late payment.
type trusting struct {
	tools
	real worker
}

func (x trusting) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return x.real.Run(ctx) })
	g.Go(func() error { return x.bus.Work(ctx, durableOf(believer), x.paid) })
	return g.Wait()
}

// believer is the durable that a trusting refunder has of its own.
const believer = "refunder-believer"

func durableOf(name string) bus.Consumer {
	return bus.Consumer{Worker: "refunder", Name: name, Stream: "INVOICES", Filters: []string{"invoices.*.*.paid"}}
}

func (x trusting) paid(ctx context.Context, d bus.Delivery) bus.Outcome {
	inv, err := bus.DecodeInvoice(d.Body)
	if err != nil || !inv.Late || inv.ErsReference == "" {
		return bus.Done
	}
	as, _ := x.shops.TerminalOf(inv.Shop, inv.Terminal)
	_, _ = x.provider.RefundPayment(ctx, seqr.RefundPayment{As: as, ErsReference: inv.ErsReference, Invoice: seqr.Invoice{
		ClientInvoiceID: inv.InvoiceID, Total: seqr.Amount{Currency: inv.Currency, Value: inv.Total.Decimal()},
	}}) // the checker sees what comes of it
	return bus.Done
}

// refuses is a provider whose silence about an order is taken for an answer: that it refuses it.
type refuses struct{ provider }

func (x refuses) SendInvoice(ctx context.Context, r seqr.SendInvoice) (seqr.SentInvoice, error) {
	sent, err := x.provider.SendInvoice(ctx, r)
	if seqr.IsUnanswered(err) {
		err = &seqr.Error{Operation: "sendInvoice", Sent: seqr.Answered, Code: seqr.InvalidInvoiceData}
	}
	return sent, err
}

// forgetful makes every call with today's terminal.
type forgetful struct{ outcomes.Shops }

func (x forgetful) TerminalOf(shop, _ string) (seqr.Principal, bool) { return x.Terminal(shop) }

// careless uses the first shop's terminal for shops whose credentials it lacks.
type careless struct{ outcomes.Shops }

func (x careless) Terminal(shop string) (seqr.Principal, bool) {
	if as, ok := x.Shops.Terminal(shop); ok {
		return as, ok
	}
	return x.Shops.Terminal(rig.Shop)
}
