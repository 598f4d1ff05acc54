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

// Config of one run.
type Config struct {
	Orders io.Reader                // NDJSON of order events; nil plays the built-in stories
	Seed   uint64                   // of the order in which orders come in and of who pays late when
	Event  func(bus.Entry)          // is told of every event as it happens; may be nil
	Issued func(inv events.Invoice) // is told of the first invoice that is paid at once, before it is; may be nil
	Log    zerolog.Logger
}

// limit is when the demo stops waiting and reports what has not ended.
const limit = 28 * time.Second

// Run plays everything. The error is of the machinery; whether the stories ended well is in the result.
func Run(ctx context.Context, cfg Config) (Result, error) {
	begun := time.Now()
	stories, err := load(cfg.Orders)
	if err != nil {
		return Result{}, err
	}
	result, err := run(ctx, cfg, stories, limit)
	result.Seconds = time.Since(begun).Round(10 * time.Millisecond).Seconds()
	return result, err
}

// run starts everything, plays the stories, and stops it again.
func run(ctx context.Context, cfg Config, stories []*story, limit time.Duration) (Result, error) {
	folder, err := os.MkdirTemp("", "seqrflow-demo-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(folder)
	cast := castOf(stories)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stack, err := app.Start(ctx, cast.options(folder, cfg))
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
	result, err := play(ctx, stack, stories, cast, cfg, limit)
	err = errors.Join(err, stack.Stop())
	cancel(nil)
	<-failed
	return result, err
}

func load(orders io.Reader) ([]*story, error) {
	if orders == nil {
		return builtIn()
	}
	return fromFile(orders)
}

func play(ctx context.Context, stack *app.Stack, stories []*story, cast cast, cfg Config, limit time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	d := newDirector(ctx, stack, stories, cfg)
	all := func(stream string) bus.Source { return bus.Source{Stream: stream, All: true} }
	err := stack.Bus().Follow(ctx, []bus.Source{all(events.InvoicesStream), all(events.OrdersStream), all(events.ParkedStream)}, d.open, d.take)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTooLong) {
		return Result{}, fmt.Errorf("the demo was broken off: %w", cause)
	}
	if err = errors.Join(err, d.err); err != nil {
		return Result{}, err
	}
	return d.settle(context.WithoutCancel(ctx), cast)
}

var errTooLong = errors.New("not everything has ended in time")

// cast is the shops that take part, each with a terminal of its own at the provider.
type cast struct {
	shops     app.ShopList
	terminals []sandbox.Terminal
	shopOf    map[string]string // by terminal
}

const password = "demo-secret" // of every terminal of the sandbox that lives as long as the demo

func castOf(stories []*story) cast {
	c := cast{shops: app.ShopList{}, shopOf: map[string]string{}}
	reseller := sandbox.DemoResellers()[0]
	for _, s := range stories {
		if _, known := c.shops[s.shop]; known {
			continue
		}
		id := fmt.Sprintf("demo-terminal-%d", len(c.terminals)+1)
		c.terminals = append(c.terminals, sandbox.Terminal{ID: id, Password: password, Name: s.shop, Reseller: reseller.ID})
		c.shops[s.shop] = app.Shop{Terminal: id, Password: password, Reseller: reseller.ID, ResellerUser: reseller.UserID, ResellerPassword: seqr.Secret(reseller.Password)}
		c.shopOf[id] = s.shop
	}
	return c
}

func (c cast) options(folder string, cfg Config) app.Options {
	return app.Options{
		Settings: app.Settings{
			Replicas: 1, ProviderTimeout: 10 * time.Second, ClientID: "seqrflow demo", ClientReference: "seqrflow demo",
			PollInterval: time.Second, ValidFor: 15 * time.Minute, HTTPListen: "127.0.0.1:0", GatewayListen: "127.0.0.1:0", ShopList: c.shops,
		},
		Targets: []string{app.All}, NATSListen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: folder,
		Sandbox: sandbox.Config{Terminals: c.terminals, Seed: cfg.Seed}, Log: cfg.Log,
	}
}

// random numbers of a run; the same seed gives the same run.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5e9f10)) }
