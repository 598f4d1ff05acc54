package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// limit is when the demo stops waiting and reports what has not ended.
const limit = 28 * time.Second

// Run plays everything. It fails when something could not be started or read; whether the orders ended as they should is in the
// result. It takes at most half a minute.
func Run(ctx context.Context, cfg Config) (Result, error) {
	begun := time.Now()
	scenarios, err := load(cfg.Orders)
	if err != nil {
		return Result{}, err
	}
	result, err := run(ctx, cfg, scenarios, limit)
	result.Seconds = time.Since(begun).Round(10 * time.Millisecond).Seconds()
	return result, err
}

// run starts everything, plays the scenarios, and stops it again.
func run(ctx context.Context, cfg Config, scenarios []*scenario, limit time.Duration) (Result, error) {
	folder, err := os.MkdirTemp("", "seqrflow-demo-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(folder)
	shops := shopsOf(scenarios)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stack, err := app.Start(ctx, shops.options(folder, cfg))
	if err != nil {
		return Result{}, err
	}
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		if err := stack.Wait(); err != nil {
			cancel(err)
		}
	}()
	result, err := play(ctx, stack, scenarios, shops, cfg, limit)
	err = errors.Join(err, stack.Stop())
	cancel(nil)
	<-failed
	return result, err
}

func load(orders io.Reader) ([]*scenario, error) {
	if orders == nil {
		return builtIn()
	}
	return fromFile(orders)
}

func play(ctx context.Context, stack *app.Stack, scenarios []*scenario, shops shops, cfg Config, limit time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	p := newPlayer(ctx, stack, scenarios, cfg)
	all := func(stream string) bus.Source { return bus.Source{Stream: stream, All: true} }
	err := stack.Bus().Follow(ctx, []bus.Source{all(events.InvoicesStream), all(events.OrdersStream), all(events.ParkedStream)}, p.publishFirst, p.onMessage)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTooLong) {
		return Result{}, fmt.Errorf("the demo was broken off: %w", cause)
	}
	if err = errors.Join(err, p.err); err != nil {
		return Result{}, err
	}
	return p.result(context.WithoutCancel(ctx), shops.of)
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

func (c shops) options(folder string, cfg Config) app.Options {
	return app.Options{
		Settings: app.Settings{
			Replicas: 1, ProviderTimeout: 10 * time.Second, ClientID: "seqrflow demo", ClientReference: "seqrflow demo",
			PollInterval: time.Second, ValidFor: 15 * time.Minute, HTTPListen: "127.0.0.1:0", GatewayListen: "127.0.0.1:0", ShopList: c.list,
		},
		Targets: []string{app.All}, NATSListen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: folder,
		Sandbox: sandbox.Config{Terminals: c.terminals, Seed: cfg.Seed}, Log: cfg.Log,
	}
}

// random gives the random numbers of a run; the same seed gives the same ones.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5e9f10)) }
