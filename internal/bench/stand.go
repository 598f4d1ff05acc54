package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/govalues/decimal"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Config that all measurements share.
type Config struct {
	Data     string       // parent of the fresh folder; "" is the system's for temporary files
	Progress func(string) // is told what goes on; may be nil
	Log      zerolog.Logger
}

func (c Config) say(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...))
	}
}

// stand is a fresh world on a fresh folder, with the references that the provider gave out.
type stand struct {
	*app.Stack
	disk   Quantiles
	bills  *bills
	remove func() error
	cancel context.CancelFunc
}

// shop of a measurement; the sandbox's demo terminal serves it and every other.
const shop = "bench"

// build starts the targets. The context it gives ends when the caller's does, or when a component fails.
func build(ctx context.Context, cfg Config, targets ...string) (*stand, context.Context, error) {
	dir, remove, err := folder(cfg.Data)
	if err != nil {
		return nil, nil, err
	}
	w := &stand{bills: &bills{of: map[string]string{}}, remove: remove}
	if w.disk, err = probeDisk(dir); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	if w.Stack, err = app.Start(ctx, options(dir, cfg, targets, w.bills)); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	ctx, fail := context.WithCancelCause(ctx)
	w.cancel = func() { fail(nil) }
	go func() {
		if err := w.Wait(); err != nil {
			fail(err)
		}
	}()
	return w, ctx, nil
}

// close ends everything and leaves nothing on the disk.
func (w *stand) close() error {
	w.cancel()
	return errors.Join(w.Stop(), w.remove())
}

func options(dir string, cfg Config, targets []string, b *bills) app.Options {
	return app.Options{
		Settings: app.Settings{
			Replicas: 1, ProviderTimeout: 10 * time.Second, ClientID: "seqrflow bench", ClientReference: "seqrflow bench",
			PollInterval: time.Second, ValidFor: 24 * time.Hour, HTTPListen: "127.0.0.1:0", GatewayListen: "127.0.0.1:0", ShopList: shops(),
		},
		Targets: targets, NATSListen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: dir,
		Sandbox: sandbox.Config{OnInvoice: b.note}, Log: cfg.Log,
	}
}

func shops() app.ShopList {
	t := sandbox.DemoTerminals()[0]
	return app.ShopList{app.AnyShop: app.Shop{Terminal: t.ID, Password: seqr.Secret(t.Password)}}
}

// bills are the provider's references by the orders' ids: what a buyer reads from the QR code.
type bills struct {
	mu sync.Mutex
	of map[string]string
}

func (b *bills) note(reference, order, _ string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of[order] = reference
}

func (b *bills) reference(order string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[order]
}

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

// place publishes an order and waits until it is on disk.
func place(ctx context.Context, b *bus.Bus, shop, id string) error {
	return b.PublishOrder(ctx, "/seqrflow/bench", shop, id, shop+"-"+id, events.Placed, order(shop, id))
}

// verify that the provider's ledger has so many payments, all fetched in time, and none of them twice.
func verify(l sandbox.Ledger, payments, receipts int) error {
	fetched := 0
	for _, p := range l.Payments {
		if !p.FetchedAt.IsZero() {
			fetched++
		}
	}
	if len(l.Payments) != payments || fetched != payments || len(l.Reversals) != 0 || len(l.Receipts) != receipts {
		return fmt.Errorf("the provider's ledger has %d payments, %d of them fetched, %d reversals and %d receipts; expected %d payments, all fetched, and %d receipts",
			len(l.Payments), fetched, len(l.Reversals), len(l.Receipts), payments, receipts)
	}
	return nil
}

// cause tells why a measurement was broken off, and what it was at.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); err != nil && c != nil {
		return fmt.Errorf("broken off: %w (%w)", c, err)
	}
	return err
}
