package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Config is what all measurements share.
type Config struct {
	Data     string       // parent of the fresh folder; "" is where the system keeps temporary files
	Progress func(string) // called with what is being done; may be nil
	Log      zerolog.Logger
}

func (c Config) say(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(fmt.Sprintf(format, args...))
	}
}

const (
	// patience is how long a measurement may take beyond what it is set to.
	patience = 2 * time.Minute
	// slowest is the number of orders a second below which a measurement is given up.
	slowest = 20
	// validFor keeps every invoice open for as long as a measurement takes.
	validFor = 24 * time.Hour
	// timeout of a call to the provider.
	timeout = 10 * time.Second
	name    = "seqrflow bench"
)

var errTooLong = errors.New("not everything has ended in time")

// fixture is the program with some of its components, on a fresh folder.
type fixture struct {
	*app.Stack
	disk Quantiles // of an append of 1 KiB with fsync
	heap heapWatch

	mu         sync.Mutex
	references map[string]string // the provider's invoiceReference of each order: what a buyer reads from the QR code
}

// measure starts the targets, calls play, and ends and removes everything. It gives up when that takes longer than patience, the
// extra time, and the time of so many orders at the slowest rate. The context of play ends too when a component fails.
func measure(ctx context.Context, cfg Config, orders int, extra time.Duration, targets []string, play func(context.Context, *fixture) error) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience+extra+time.Duration(orders)*time.Second/slowest, errTooLong)
	defer cancel()
	dir, remove, err := folder(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	f := &fixture{references: map[string]string{}}
	if f.disk, err = probeDisk(dir); err != nil {
		return err
	}
	if f.Stack, err = app.Start(ctx, f.options(cfg, dir, targets)); err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer func() { fail(nil); err = errors.Join(err, f.Stop()) }()
	go func() {
		if err := f.Wait(); err != nil {
			fail(err)
		}
	}()
	f.heap = watchHeap(ctx)
	return withCause(ctx, play(ctx, f))
}

// withCause adds to an error why the measurement was broken off.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("broken off: %w (%w)", cause, err)
	}
	return err
}

// alone are the components that a measurement needs which runs workers of its own.
func alone(more ...string) []string {
	return append([]string{"natsd", "sandbox", "gateway", "canceler"}, more...)
}

func (f *fixture) options(cfg Config, dir string, targets []string) app.Options {
	return app.Options{
		Settings: app.Settings{
			Replicas: 1, ProviderTimeout: timeout, ClientID: name, ClientReference: name,
			PollInterval: time.Second, ValidFor: validFor, HTTPListen: "127.0.0.1:0", GatewayListen: "127.0.0.1:0", ShopList: shops(),
		},
		Targets: targets, NATSListen: "127.0.0.1:0", SandboxListen: "127.0.0.1:0", Data: dir,
		Sandbox: sandbox.Config{OnInvoice: f.noteReference}, Log: cfg.Log,
	}
}

// shops gives each named shop a terminal of its own with the shop's name, and every other the sandbox's demo terminal.
func shops(names ...string) app.ShopList {
	id, password := demoTerminal()
	all := app.ShopList{app.AnyShop: app.Shop{Terminal: id, Password: password}}
	for _, s := range names {
		all[s] = app.Shop{Terminal: s, Password: seqr.Secret("secret")}
	}
	return all
}

func demoTerminal() (id string, password seqr.Secret) {
	t := sandbox.DemoTerminals()[0]
	return t.ID, seqr.Secret(t.Password)
}

func newClient(endpoint string) (*seqr.Client, error) {
	return seqr.New(seqr.Config{Endpoint: endpoint, ClientID: name, ClientReference: name, Timeout: timeout})
}

func (f *fixture) noteReference(reference, order, _ string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.references[order] = reference
}

func (f *fixture) reference(order string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.references[order]
}

// pay has the buyer of an order pay.
func (f *fixture) pay(order string) error {
	if err := f.Sandbox().Pay(f.reference(order)); err != nil {
		return fmt.Errorf("the buyer of order %s: %w", order, err)
	}
	return nil
}

// verify fails unless the history follows the state table, it agrees with the provider's ledger, and there are so many payments.
func (f *fixture) verify(ctx context.Context, payments int) error {
	h, err := audit.Read(ctx, f.Bus())
	if err != nil {
		return err
	}
	l := f.Sandbox().Ledger()
	problems := h.Problems
	for _, d := range audit.Compare(l, h.Last()).Differences {
		problems = append(problems, d.String())
	}
	if len(l.Payments) != payments {
		problems = append(problems, fmt.Sprintf("the provider's ledger has %d payments, expected %d", len(l.Payments), payments))
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems; the first: %s", len(problems), problems[0])
	}
	return nil
}
