package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
)

// Poll measures how punctually open invoices are polled, and how soon a payment becomes an event.
type Poll struct {
	Folder
	Invoices int           `default:"5000" min:"1" help:"How many are held open and polled once a second (${default})."`
	Seconds  int           `default:"20" min:"1" help:"How long punctuality is measured (${default})."`
	Payments int           `default:"200" min:"0" help:"How many pay with a notification, and how many without, in each of two measurements (${default})."`
	Latency  time.Duration `default:"0s" min:"0" help:"How much longer the provider takes for each answer, e.g. 1s (${default})."`
	AtOnce   int           `default:"1024" min:"1" help:"Polls at once at most, as --poll-concurrency of the poller (${default})."`
	Settle   time.Duration `kong:"-"` // between the load and the measuring; 0 is 3 s
}

// PollResult is what Poll measures.
type PollResult struct {
	Invoices int       `json:"invoices"`
	First    Quantiles `json:"placedToFirstPoll"` // from when an order was due, 100 a second, to the answer of its first poll
	Lateness Quantiles `json:"lateness"`          // from when a poll was due to when it was begun
	PerSec   float64   `json:"answeredPollsPerSecond"`
	Gap      float64   `json:"longestGapSeconds"` // between two answers about the same invoice
	CPUs     float64   `json:"cpus"`              // of the whole process, provider and broker included

	Unloaded Payments  `json:"paidToEventUnloaded"`
	Loaded   Payments  `json:"paidToEventLoaded"`
	Disk     Quantiles `json:"fsync"`
	Memory
}

func (r PollResult) String() string {
	paid := ""
	if r.Loaded.Hinted.Count > 0 {
		paid = fmt.Sprintf(`
paid → event          %s (notified)
                      %s (not notified)
  under that load     %s (notified)
                      %s (not notified)`, r.Unloaded.Hinted, r.Unloaded.Unhinted, r.Loaded.Hinted, r.Loaded.Unhinted)
	}
	return fmt.Sprintf(`order → first poll    %s (100 orders a second)
polled once a second  %d invoices, %.0f answers a second, %.2f processors
lateness of a poll    %s
longest gap           %.2f s between two answers about one invoice%s
memory              %s
append with fsync   %s`, r.First, r.Invoices, r.PerSec, r.CPUs, r.Lateness, r.Gap, paid, r.Memory, r.Disk)
}

// Payments is the time from the buyer's payment at the provider to the `paid` event at a subscriber.
type Payments struct {
	Hinted   Quantiles `json:"withNotification"`
	Unhinted Quantiles `json:"withoutNotification"`
}

const (
	hinted   = "hinted"   // the shop whose invoices name the gateway to notify
	unhinted = "unhinted" // the shop whose invoices do not
	// paying is the time that there is for each payment on average.
	paying = 40 * time.Millisecond
	// settling is long enough for the polls that the placing of the load has delayed.
	settling = 3 * time.Second

	firstPolls = 300 // orders whose first poll is timed, at most half of all
	firstRate  = 100 // of them a second
)

// Run measures.
func (p Poll) Run(ctx context.Context, cfg Config) (r PollResult, err error) {
	if p.Settle == 0 {
		p.Settle = settling
	}
	others := targets("natsd", "sandbox", "gateway", "receipter", "canceler", "refunder", "reconciler")
	err = p.measure(ctx, cfg, p.Invoices+4*p.Payments, seconds(p.Seconds), others, func(ctx context.Context, f *fixture) error {
		f.say("everything runs; an append with fsync takes %s", f.disk)
		run := &poll{Poll: p, fixture: f, provider: newPollCounter(f.Client, p.Latency)}
		if err := while(ctx, run.play, run.invoicer(hinted, f.URLs.Gateway).Run, run.poller().Run); err != nil {
			return err
		}
		r = run.result
		r.Disk, r.Memory = f.disk, f.heap.end()
		return f.verify(ctx, run.paid)
	})
	return r, err
}

// poll is one run, with a poller that can be observed and an invoicer for each kind of shop.
type poll struct {
	Poll
	*fixture
	provider pollCounter
	lateness samples
	placed   int // orders so far
	paid     int
	result   PollResult
}

func (r *poll) invoicer(shop, notify string) *invoicer.Worker {
	return invoicer.New(invoicer.Config{
		Bus: r.Bus, Provider: r.Client, Shops: shops(), Only: []string{shop}, ValidFor: validFor, NotifyURL: notify, Log: r.Log,
	})
}

func (r *poll) poller() *poller.Worker {
	return poller.New(poller.Config{
		Bus: r.Bus, Provider: r.provider, Shops: shops(), Concurrency: r.AtOnce, Metrics: r.Registry, Log: r.Log, Observe: r.lateness.add,
	})
}

// play times first polls, and then everything else. Orders come to either invoicer and are passed on to the one that serves their
// shop; while there is one, they need not be.
func (r *poll) play(ctx context.Context) (err error) {
	r.result.Invoices = r.Invoices
	if r.result.First, err = r.firstPolls(ctx); err != nil {
		return err
	}
	return while(ctx, r.measure, r.invoicer(unhinted, "").Run)
}

// measure does one thing after another: payments while there is little to do, the load, payments under it.
func (r *poll) measure(ctx context.Context) (err error) {
	out := &r.result
	if out.Unloaded, err = r.payments(ctx); err != nil {
		return err
	}
	r.say("placing %d orders", r.Invoices-r.placed+r.paid)
	if _, err = r.open(ctx, r.Invoices-r.placed+r.paid); err != nil {
		return err
	}
	if err := waitFor(ctx, r.Settle); err != nil {
		return err
	}
	r.say("measuring for %d s", r.Seconds)
	r.lateness.start(2 * r.Invoices * r.Seconds)
	r.provider.Restart()
	begun, cpu := time.Now(), cpuTime(os.Getpid())
	if err := waitFor(ctx, seconds(r.Seconds)); err != nil {
		return err
	}
	polls, _ := r.provider.Count(0)
	gap := r.provider.Longest().Length
	out.Lateness = r.lateness.stop()
	took := time.Since(begun).Seconds()
	out.PerSec, out.Gap, out.CPUs = float64(polls)/took, gap.Seconds(), (cpuTime(os.Getpid())-cpu).Seconds()/took
	out.Loaded, err = r.payments(ctx)
	return err
}

// firstPolls places orders and gives how long each took until its invoice was polled.
func (r *poll) firstPolls(ctx context.Context) (Quantiles, error) {
	n := min(firstPolls, r.Invoices/2)
	r.say("placing %d orders, %d a second", n, firstRate)
	due := make([]time.Time, n)
	err := atRate(ctx, n, firstRate, func(ctx context.Context, i int, at time.Time) error {
		due[i] = at
		return r.place(ctx, hinted, i)
	})
	if err != nil {
		return Quantiles{}, err
	}
	r.placed = n
	if err := r.provider.WaitForOpen(ctx, n); err != nil {
		return Quantiles{}, err
	}
	var took []time.Duration
	for i, at := range due {
		took = append(took, r.provider.First(r.reference(fmt.Sprint(i))).Sub(at))
	}
	return quantiles(took), nil
}

// open places orders, half of each kind, and waits until all their invoices are polled.
func (r *poll) open(ctx context.Context, n int) (ids []string, err error) {
	first, want := r.placed, r.placed-r.paid+n
	err = each(ctx, n, atOnce, func(ctx context.Context, i int) error {
		return r.place(ctx, []string{hinted, unhinted}[(first+i)%2], first+i)
	})
	if err != nil {
		return nil, err
	}
	for i := range n {
		ids = append(ids, fmt.Sprint(first+i))
	}
	r.placed += n
	return ids, r.provider.WaitForOpen(ctx, want)
}
