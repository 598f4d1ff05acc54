// Package demo plays a day of a few shops against the whole program, in seconds. It checks that every order ends as its scenario
// says, that the state table allows every event, and that our events and the provider's ledger agree to the cent.
//
//	demo.go      starts the program, plays the scenarios and stops it
//	scenario.go  what the buyer and the shop of one order do, and how the order has to end; the built-in ones are in orders.ndjson
//	shops.go     the shops with a system of their own: WooCommerce and Shopify, by webhook
//	file.go      makes scenarios of a file of order events
//	player.go    publishes the shops' events and has the buyers act
//	result.go    how it all ended
//
// Nothing in it waits for a time: buyers and shops act on the event that their scenario names.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Config says what one run plays and what it reports.
type Config struct {
	Orders io.Reader                // NDJSON of order events; nil plays the built-in scenarios
	Seed   uint64                   // the same seed gives the same order of orders and late payments
	Event  func(bus.Entry)          // called with every event as it happens; may be nil
	Issued func(inv events.Invoice) // called with the first invoice that is paid at once, before it is paid; may be nil
	Log    zerolog.Logger
}

// limit is when the demo stops waiting and reports what has not ended. A slow machine needs more than half a minute.
const limit = 2 * time.Minute

// Run plays everything. It fails when something could not be started or read; whether the orders ended as they should is in the
// result. It waits for at most 2 minutes.
func Run(ctx context.Context, cfg Config) (Result, error) {
	begun := time.Now()
	read := builtIn
	if cfg.Orders != nil {
		read = func() ([]*scenario, error) { return fromFile(cfg.Orders) }
	}
	scenarios, err := read()
	if err != nil {
		return Result{}, err
	}
	result, err := run(ctx, cfg, scenarios, limit)
	result.Seconds = time.Since(begun).Round(10 * time.Millisecond).Seconds()
	return result, err
}

// run starts everything, plays the scenarios, and stops it again. The built-in scenarios have shops with systems of their own beside them.
func run(ctx context.Context, cfg Config, scenarios []*scenario, limit time.Duration) (r Result, err error) {
	o := app.Private("seqrflow demo", cfg.Log)
	begin := func(string) error { return nil }
	if cfg.Orders == nil {
		var folder string
		if folder, err = os.MkdirTemp("", "seqrflow-"); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		var web *webShops
		if web, err = openWebShops(folder); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, web.close()) }()
		scenarios = append(scenarios, web.scenarios()...)
		o.Connections, begin = web.connections(), web.join
	}
	shops := shopsOf(scenarios)
	o.ShopList, o.Sandbox.Terminals, o.Sandbox.Seed = shops.list, shops.terminals, cfg.Seed
	err = app.With(ctx, "", o, func(ctx context.Context, stack *app.Stack) (err error) {
		if err := begin(stack.URLs.Gateway); err != nil {
			return err
		}
		r, err = play(ctx, stack, scenarios, shops.of, cfg, limit)
		return err
	})
	return r, err
}

func play(ctx context.Context, stack *app.Stack, scenarios []*scenario, shopOf map[string]string, cfg Config, limit time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	p := newPlayer(ctx, stack, scenarios, cfg)
	all := func(stream string) bus.Source { return bus.Source{Stream: stream, All: true} }
	err := stack.Bus.Follow(ctx, []bus.Source{all(events.InvoicesStream), all(events.OrdersStream), all(events.ParkedStream), all(events.DeliveriesStream)}, p.publishFirst, p.onMessage)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTooLong) {
		return Result{}, fmt.Errorf("the demo was broken off: %w", cause)
	}
	if err = errors.Join(err, p.err); err != nil {
		return Result{}, err
	}
	return p.result(context.WithoutCancel(ctx), shopOf)
}

var errTooLong = errors.New("not everything has ended in time")

// shops are the shops of the scenarios, each with a terminal of its own at the provider.
type shops struct {
	list      app.ShopList
	terminals []sandbox.Terminal
	of        map[string]string // the shop of each terminal
}

const password = "demo-secret" // of every terminal of the sandbox that lives as long as the demo

func shopsOf(scenarios []*scenario) shops {
	c := shops{list: app.ShopList{}, of: map[string]string{}}
	reseller := sandbox.DemoResellers()[0]
	for _, s := range scenarios {
		if _, known := c.list[s.shop]; known {
			continue
		}
		id := fmt.Sprintf("demo-terminal-%d", len(c.terminals)+1)
		c.terminals = append(c.terminals, sandbox.Terminal{ID: id, Password: password, Name: s.shop, Reseller: reseller.ID})
		c.list[s.shop] = app.Shop{Terminal: id, Password: password, Reseller: reseller.ID, ResellerUser: reseller.UserID, ResellerPassword: seqr.Secret(reseller.Password)}
		c.of[id] = s.shop
	}
	return c
}
