package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/govalues/decimal"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/internal/sandbox"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Sandbox measures the stand-in for the provider, in a process of its own that may use one processor:
// how much memory its open invoices take, and how many getPaymentStatus calls it answers.
type Sandbox struct {
	Config
	Program  []string // that starts a sandbox and prints its endpoint, as `seqrflow sandbox` does
	Invoices int
	Seconds  int
}

// SandboxResult is what came of it. A client on the same machine takes processors too, so the calls a
// second of wall time are the less the busier the machine is; those of processor time are not.
type SandboxResult struct {
	Invoices int     `json:"invoices"` // open
	Opened   float64 `json:"sendInvoicePerSecond"`
	RSS      uint64  `json:"rssBytes"`     // with all of them open
	PeakRSS  uint64  `json:"peakRssBytes"` // until the end

	PerSec    float64   `json:"getPaymentStatusPerSecond"`
	PerCPUSec float64   `json:"getPaymentStatusPerProcessorSecond"`
	Busy      float64   `json:"processorShare"` // of its one processor, while it answered
	Latency   Quantiles `json:"answeredIn"`
}

// Callers is how many calls are under way at once.
const Callers = 32

// Run measures.
func (s Sandbox) Run(ctx context.Context) (r SandboxResult, err error) {
	limit := patience + time.Duration(s.Seconds)*time.Second + time.Duration(s.Invoices)*time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	child, err := spawn(ctx, s.Program)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, child.end()) }()
	client, err := seqr.New(seqr.Config{Endpoint: child.endpoint, ClientID: "seqrflow bench", ClientReference: "seqrflow bench"})
	if err != nil {
		return r, err
	}
	defer client.CloseIdle()
	run := &asking{Sandbox: s, client: client, as: seqr.Terminal(demoTerminal())}
	if r, err = run.measure(ctx, child); err != nil {
		return r, cause(ctx, err)
	}
	return r, nil
}

func demoTerminal() (id string, password seqr.Secret) {
	t := sandbox.DemoTerminals()[0]
	return t.ID, seqr.Secret(t.Password)
}

// asking is one run.
type asking struct {
	Sandbox
	client  *seqr.Client
	as      seqr.Principal
	refs    []string
	latency samples
}

func (a *asking) measure(ctx context.Context, child *process) (r SandboxResult, err error) {
	a.say("opening %d invoices at %s", a.Invoices, child.endpoint)
	begun := time.Now()
	if err := a.open(ctx); err != nil {
		return r, err
	}
	r.Invoices, r.Opened, r.RSS = len(a.refs), float64(len(a.refs))/time.Since(begun).Seconds(), child.memory("VmRSS")
	a.say("asking for %d s", a.Seconds)
	a.latency.start(a.Seconds * 10_000)
	begun, cpu := time.Now(), child.cpu()
	calls, err := a.ask(ctx, begun.Add(time.Duration(a.Seconds)*time.Second))
	took, used := time.Since(begun).Seconds(), (child.cpu() - cpu).Seconds()
	if err != nil {
		return r, err
	}
	r.PerSec, r.Busy, r.Latency = float64(calls)/took, used/took, a.latency.stop()
	if used > 0 {
		r.PerCPUSec = float64(calls) / used
	}
	r.PeakRSS = child.memory("VmHWM")
	return r, nil
}

// open sends the invoices.
func (a *asking) open(ctx context.Context) error {
	a.refs = make([]string, a.Invoices)
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range Callers {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(a.refs)); i = next.Add(1) - 1 {
				sent, err := a.client.SendInvoice(ctx, seqr.SendInvoice{As: a.as, Invoice: bill(int(i))})
				if err != nil {
					return err
				}
				a.refs[i] = sent.Reference
			}
			return nil
		})
	}
	return g.Wait()
}

// ask for the status of invoices at random until the time is over.
func (a *asking) ask(ctx context.Context, end time.Time) (int64, error) {
	g, ctx := errgroup.WithContext(ctx)
	var calls atomic.Int64
	for range Callers {
		g.Go(func() error {
			for begun := time.Now(); begun.Before(end); begun = time.Now() {
				ref := a.refs[rand.IntN(len(a.refs))]
				st, err := a.client.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: a.as, InvoiceReference: ref})
				if err != nil {
					return err
				}
				if st.Status != seqr.StatusIssued {
					return fmt.Errorf("invoice %s is %s", ref, st.Status)
				}
				a.latency.add(time.Since(begun))
				calls.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return calls.Load(), err
}

// bill is what the invoicer makes of an order of two rows.
func bill(i int) seqr.Invoice {
	amount := func(ore int64) seqr.Amount { return seqr.Amount{Currency: "SEK", Value: decimal.MustNew(ore, 2)} }
	row := func(what string, ore, rate int64) seqr.InvoiceRow {
		r := decimal.MustNew(rate, 0)
		return seqr.InvoiceRow{Description: what, Quantity: decimal.MustNew(1, 0), Total: amount(ore), TaxRate: &r}
	}
	id := strconv.Itoa(i)
	return seqr.Invoice{
		Title: "Order " + id, ClientInvoiceID: id, Total: amount(24900), NotificationURL: "http://127.0.0.1:8787/notify/bench/" + id,
		Rows: []seqr.InvoiceRow{row("Coffee, 500 g", 9900, 12), row("Mug", 15000, 25)},
	}
}
