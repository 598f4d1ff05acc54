package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/audit"
	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Folder is the flag of every measurement that writes.
type Folder struct {
	Data string `type:"path" placeholder:"DIR" help:"Make the fresh folder here: the disk that is measured. Where temporary files go unless given."`
}

// Config is where a measurement tells what it does.
type Config struct {
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
	name     = "seqrflow bench"
)

var errTooLong = errors.New("not everything has ended in time")

// fixture is the program with some of its components, on a fresh folder.
type fixture struct {
	*app.Stack
	Config
	disk       Quantiles // of an append of 1 KiB with fsync
	heap       heapWatch
	references sync.Map // the provider's invoiceReference of each order: what a buyer reads from the QR code
}

// measure starts the targets that set names, calls play, and ends and removes everything. It gives up when that takes longer than
// patience, the extra time, and the time of so many orders at the slowest rate. The context of play ends too when a component fails.
func (d Folder) measure(ctx context.Context, cfg Config, orders int, extra time.Duration, set func(*app.Options), play func(context.Context, *fixture) error) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience+extra+time.Duration(orders)*time.Second/slowest, errTooLong)
	defer cancel()
	if d.Data != "" {
		if err := os.MkdirAll(d.Data, 0o700); err != nil {
			return fmt.Errorf("--data: %w", err)
		}
	}
	f := &fixture{Config: cfg}
	if f.disk, err = probeDisk(d.Data); err != nil {
		return err
	}
	o := app.Private(name, cfg.Log)
	o.ValidFor, o.ShopList = validFor, shops()
	set(&o)
	o.Sandbox.OnInvoice = func(reference, order, _ string) { f.references.Store(order, reference) }
	return app.With(ctx, d.Data, o, func(ctx context.Context, s *app.Stack) error {
		f.Stack, f.heap = s, watchHeap(ctx)
		return withCause(ctx, play(ctx, f))
	})
}

// withCause adds to an error why the measurement was broken off.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("broken off: %w (%w)", cause, err)
	}
	return err
}

func targets(names ...string) func(*app.Options) {
	return func(o *app.Options) { o.Targets = names }
}

// alone sets the components that a measurement needs which runs workers of its own.
func alone(o *app.Options) { o.Targets = []string{"natsd", "sandbox", "gateway", "canceler"} }

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
	return seqr.New(seqr.Config{Endpoint: endpoint, ClientID: name, ClientReference: name, Timeout: 10 * time.Second})
}

func (f *fixture) reference(order string) string {
	reference, _ := f.references.Load(order)
	text, _ := reference.(string)
	return text
}

// pay has the buyer of an order pay.
func (f *fixture) pay(order string) error {
	if err := f.Sandbox.Pay(f.reference(order)); err != nil {
		return fmt.Errorf("the buyer of order %s: %w", order, err)
	}
	return nil
}

// verify fails unless the history follows the state table, it agrees with the provider's ledger, and there are so many payments.
func (f *fixture) verify(ctx context.Context, payments int) error {
	h, err := audit.Read(ctx, f.Bus)
	if err != nil {
		return err
	}
	l := f.Sandbox.Ledger()
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
