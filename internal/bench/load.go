package bench

import (
	"context"
	"strconv"
	"time"

	"github.com/govalues/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
	"github.com/seqrflow/seqrflow/services/receipter"
)

const (
	shop   = "bench" // of orders whose shop does not matter
	atOnce = 64      // orders that are placed, and invoices that are paid, at the same time
)

// order of two rows, as a small webshop has them.
func order(shop, id string) events.Order {
	row := func(what string, total, rate int64) events.Row {
		r := decimal.MustNew(rate, 0)
		return events.Row{Description: what, Quantity: decimal.MustNew(1, 0), Total: events.AmountOf(decimal.MustNew(total, 2)), TaxRate: &r}
	}
	return events.Order{
		OrderID: id, Shop: shop, Currency: "SEK", Total: events.AmountOf(decimal.MustNew(24900, 2)), Title: "Order " + id,
		Rows: []events.Row{row("Coffee, 500 g", 9900, 12), row("Mug", 15000, 25)},
	}
}

// publish places an order and waits until it is on disk.
func (f *fixture) publish(ctx context.Context, o events.Order) error {
	return f.Bus.PublishOrder(ctx, "/seqrflow/bench", o.Shop, o.OrderID, o.Shop+"-"+o.OrderID, events.Placed, o)
}

// place places the shop's order of that number.
func (f *fixture) place(ctx context.Context, shop string, number int) error {
	return f.publish(ctx, order(shop, strconv.Itoa(number)))
}

// recordIssued records that the order's invoice was issued, as the invoicer does.
func (f *fixture) recordIssued(ctx context.Context, o events.Order) error {
	terminal, _ := demoTerminal()
	_, err := f.Bus.Update(ctx, invoicer.Name, o.Key(), func(i events.Invoice) (events.Invoice, error) {
		return i.IssuedAs(o, events.ProviderInvoice{Terminal: terminal, Reference: o.OrderID, ValidFor: validFor}, f.fact())
	})
	return err
}

// recordPaid records a payment, as the poller does.
func (f *fixture) recordPaid(ctx context.Context, k events.Key) error {
	_, err := f.Bus.Update(ctx, poller.Name, k, func(i events.Invoice) (events.Invoice, error) {
		return i.PaidWith(k.Invoice, poller.Name, f.fact())
	})
	return err
}

// recordReceipted records that a receipt was sent, as the receipter does.
func (f *fixture) recordReceipted(ctx context.Context, k events.Key) error {
	_, err := f.Bus.Update(ctx, receipter.Name, k, func(i events.Invoice) (events.Invoice, error) {
		return i.ReceiptedWith(events.Receipt{MIMEType: "text/html", SHA256: "none", Bytes: 1}, f.fact())
	})
	return err
}

func (f *fixture) fact() events.Fact { return events.Fact{At: f.Bus.Now(), Why: "bench"} }

// each calls do with the numbers from 0 to n-1, limit of them at once.
func each(ctx context.Context, n, limit int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// atRate calls do with the numbers from 0 to n-1, so many a second, and with the time when each was due. A call that takes long delays
// no other.
func atRate(ctx context.Context, n, perSecond int, do func(ctx context.Context, i int, due time.Time) error) error {
	g, calling := errgroup.WithContext(ctx)
	begun := time.Now()
	for i := range n {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if err := waitUntil(calling, due); err != nil {
			break
		}
		g.Go(func() error { return do(calling, i, due) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// follow calls take with every event of the given names that is recorded from now on, until take returns bus.ErrStop. It calls do
// once no event can be missed, and waits for it.
func (f *fixture) follow(ctx context.Context, names []events.Name, take func(events.Address) error, do func(context.Context) error) error {
	source := bus.Source{Stream: events.InvoicesStream}
	for _, n := range names {
		source.Filters = append(source.Filters, "invoices.*.*."+string(n))
	}
	g, ctx := errgroup.WithContext(ctx)
	ready := make(chan struct{})
	g.Go(func() error {
		return f.Bus.Follow(ctx, []bus.Source{source}, func() { close(ready) }, func(e bus.Entry) error {
			a, err := events.ParseSubject(e.Subject)
			if err != nil {
				return err
			}
			return take(a)
		})
	})
	g.Go(func() error {
		select {
		case <-ready:
			return do(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return g.Wait()
}

// while runs the workers until do returns.
func while(ctx context.Context, do func(context.Context) error, workers ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	working, stop := context.WithCancel(ctx)
	defer stop()
	for _, w := range workers {
		g.Go(func() error { return w(working) })
	}
	g.Go(func() error {
		defer stop()
		return do(ctx)
	})
	return g.Wait()
}

// waitUntil waits for an instant. It gives an error when ctx ends first.
func waitUntil(ctx context.Context, at time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(at)):
		return nil
	}
}

func waitFor(ctx context.Context, d time.Duration) error { return waitUntil(ctx, time.Now().Add(d)) }

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
