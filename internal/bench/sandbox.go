package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/pkg/events"
	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// Sandbox measures the stand-in for the provider, in a process of its own that may use one processor:
// how much memory its open invoices take, and how many getPaymentStatus calls it answers.
type Sandbox struct {
	Invoices int `default:"100000" min:"1" help:"How many invoices are open (${default})."`
	Seconds  int `default:"10" min:"1" help:"How long their status is asked for (${default})."`
}

// SandboxResult is what Sandbox measures. A client on the same machine takes processors too, so the calls a
// second of wall time are the fewer the busier the machine is; those of processor time are not.
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

func (r SandboxResult) String() string {
	return fmt.Sprintf(`getPaymentStatus  %.0f a second on one processor (%.0f %% of it used, so %.0f a second of its time)
each answer       %s with %d calls under way
memory            resident %.0f MB with %d invoices open, %.0f MB at most
sendInvoice       %.0f a second`,
		r.PerSec, 100*r.Busy, r.PerCPUSec, r.Latency, callers, mb(r.RSS), r.Invoices, mb(r.PeakRSS), r.Opened)
}

// callers is how many calls are under way at once.
const callers = 32

// Run measures.
func (s Sandbox) Run(ctx context.Context, cfg Config) (r SandboxResult, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience+seconds(s.Seconds)+time.Duration(s.Invoices)*time.Millisecond, errTooLong)
	defer cancel()
	child, err := spawn(ctx, endpointLine, "sandbox", "--listen", "127.0.0.1:0", "--log-level", "error")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, child.end()) }()
	client, err := newClient(child.endpoint)
	if err != nil {
		return r, err
	}
	defer client.CloseIdle()
	run := &sandboxRun{Sandbox: s, Config: cfg, client: client, as: seqr.Terminal(demoTerminal()), references: make([]string, s.Invoices)}
	r, err = run.play(ctx, child)
	return r, withCause(ctx, err)
}

// sandboxRun is one run.
type sandboxRun struct {
	Sandbox
	Config
	client     *seqr.Client
	as         seqr.Principal
	references []string // of the open invoices
	latency    samples
}

func (r *sandboxRun) play(ctx context.Context, child *process) (out SandboxResult, err error) {
	r.say("opening %d invoices at %s", r.Invoices, child.endpoint)
	begun := time.Now()
	if err := each(ctx, r.Invoices, callers, r.open); err != nil {
		return out, err
	}
	out.Invoices, out.Opened, out.RSS = r.Invoices, float64(r.Invoices)/time.Since(begun).Seconds(), status(child.pid()).VmRSS
	r.say("asking for %d s", r.Seconds)
	r.latency.start(r.Seconds * 10_000)
	begun, cpu := time.Now(), cpuTime(child.pid())
	calls, err := r.ask(ctx, begun.Add(seconds(r.Seconds)))
	took, used := time.Since(begun).Seconds(), (cpuTime(child.pid()) - cpu).Seconds()
	if err != nil {
		return out, err
	}
	out.PerSec, out.Busy, out.Latency = float64(calls)/took, used/took, r.latency.stop()
	if used > 0 {
		out.PerCPUSec = float64(calls) / used
	}
	out.PeakRSS = status(child.pid()).VmHWM
	return out, nil
}

func (r *sandboxRun) open(ctx context.Context, i int) error {
	sent, err := r.client.SendInvoice(ctx, seqr.SendInvoice{As: r.as, Invoice: invoice(strconv.Itoa(i))})
	r.references[i] = sent.Reference
	return err
}

// ask asks for the status of invoices at random until the time is over, and gives the number of calls.
func (r *sandboxRun) ask(ctx context.Context, end time.Time) (int64, error) {
	g, ctx := errgroup.WithContext(ctx)
	var calls atomic.Int64
	for range callers {
		g.Go(func() error {
			for begun := time.Now(); begun.Before(end); begun = time.Now() {
				ref := r.references[rand.IntN(len(r.references))]
				st, err := r.client.GetPaymentStatus(ctx, seqr.GetPaymentStatus{As: r.as, InvoiceReference: ref})
				if err != nil {
					return err
				}
				if st.Status != seqr.StatusIssued {
					return fmt.Errorf("invoice %s is %s", ref, st.Status)
				}
				r.latency.add(time.Since(begun))
				calls.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return calls.Load(), err
}

// invoice is what the invoicer makes of an order of two rows.
func invoice(id string) seqr.Invoice {
	o := order(shop, id)
	amount := func(a events.Amount) seqr.Amount { return seqr.Amount{Currency: o.Currency, Value: a.Decimal()} }
	inv := seqr.Invoice{Title: o.Title, ClientInvoiceID: id, Total: amount(o.Total), NotificationURL: "http://127.0.0.1:8787/notify/bench/" + id}
	for _, row := range o.Rows {
		inv.Rows = append(inv.Rows, seqr.InvoiceRow{Description: row.Description, Quantity: row.Quantity, Total: amount(row.Total), TaxRate: row.TaxRate})
	}
	return inv
}
