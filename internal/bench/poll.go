package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/services/invoicer"
	"github.com/seqrflow/seqrflow/services/poller"
)

// Poll measures how punctually open invoices are polled, and how soon a payment becomes an event.
type Poll struct {
	Config
	Invoices int
	Seconds  int
	Payments int           // with the provider's notification, and as many without
	Latency  time.Duration // that the provider's answers take beyond the sandbox's own
	AtOnce   int           // polls at once, 0 is the poller's default
	Settle   time.Duration // everything is left to itself for so long before it is measured, default 3 s
}

// PollResult is what came of it.
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

// Payments is the time from the buyer's payment at the provider to the `paid` event at a subscriber.
type Payments struct {
	Hinted   Quantiles `json:"withNotification"`
	Unhinted Quantiles `json:"withoutNotification"`
}

const (
	hinted   = "hinted"   // the shop whose invoices name the gateway to notify
	unhinted = "unhinted" // the one whose do not
	// paying is the time that there is for each payment on average.
	paying = 40 * time.Millisecond
	// settling is long enough for what the placing of the load has delayed to be made up for.
	settling = 3 * time.Second
)

// Run measures.
func (p Poll) Run(ctx context.Context) (r PollResult, err error) {
	if p.Settle == 0 {
		p.Settle = settling
	}
	limit := patience + time.Duration(p.Invoices+4*p.Payments)*time.Second/slowest + time.Duration(p.Seconds)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	w, ctx, err := build(ctx, p.Config, "natsd", "sandbox", "gateway", "receipter", "canceler", "refunder", "reconciler")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	p.say("everything runs; an append with fsync takes %s", w.disk)
	heap := watchHeap(ctx)
	run := &polling{Poll: p, stand: w, provider: watch(w.Client(), p.Latency)}
	r, err = run.play(ctx)
	r.Disk, r.Memory = w.disk, heap.end()
	if err != nil {
		return r, cause(ctx, err)
	}
	return r, verify(w.Sandbox().Ledger(), run.paid, run.paid)
}

// polling is one run, with a poller that can be watched and an invoicer for each kind of shop.
type polling struct {
	Poll
	*stand
	provider *watched
	lateness samples
	placed   int // orders so far
	paid     int
}

func (r *polling) play(ctx context.Context) (PollResult, error) {
	var result PollResult
	g, ctx := errgroup.WithContext(ctx)
	working, stop := context.WithCancel(ctx)
	defer stop()
	g.Go(func() error { return r.invoicer(hinted, r.GatewayURL()).Run(working) })
	firstPolled := make(chan struct{})
	g.Go(func() error {
		select { // orders come to either invoicer and are passed on to the one that serves their shop: with one, they need not be
		case <-firstPolled:
			return r.invoicer(unhinted, "").Run(working)
		case <-working.Done():
			return nil
		}
	})
	g.Go(func() error { return r.poller().Run(working) })
	g.Go(func() (err error) {
		defer stop()
		result, err = r.measure(ctx, firstPolled)
		return err
	})
	err := g.Wait()
	return result, err
}

func (r *polling) invoicer(shop, notify string) *invoicer.Worker {
	return invoicer.New(invoicer.Config{
		Bus: r.Bus(), Provider: r.Client(), Shops: shops(), Only: []string{shop}, ValidFor: 24 * time.Hour, NotifyURL: notify, Log: r.Log,
	})
}

func (r *polling) poller() *poller.Worker {
	return poller.New(poller.Config{
		Bus: r.Bus(), Provider: r.provider, Shops: shops(), Concurrency: r.AtOnce, Metrics: r.Registry(), Log: r.Log, Observe: r.lateness.add,
	})
}

// measure does one thing after another: first polls, after which it closes the channel, payments while there is little to do, the load, payments under it.
func (r *polling) measure(ctx context.Context, firstPolled chan<- struct{}) (out PollResult, err error) {
	out.Invoices = r.Invoices
	if out.First, err = r.firstPolls(ctx); err != nil {
		return out, err
	}
	close(firstPolled)
	if out.Unloaded, err = r.payments(ctx); err != nil {
		return out, err
	}
	r.say("placing %d orders", r.Invoices-r.placed+r.paid)
	if _, err = r.open(ctx, r.Invoices-r.placed+r.paid); err != nil {
		return out, err
	}
	if !until(ctx, time.Now().Add(r.Settle)) {
		return out, ctx.Err()
	}
	r.say("measuring for %d s", r.Seconds)
	r.lateness.start(2 * r.Invoices * r.Seconds)
	r.provider.start()
	begun, cpu := time.Now(), cpuTime(self)
	if !until(ctx, begun.Add(time.Duration(r.Seconds)*time.Second)) {
		return out, ctx.Err()
	}
	polls, gap := r.provider.stop()
	out.Lateness = r.lateness.stop()
	took := time.Since(begun).Seconds()
	out.PerSec, out.Gap, out.CPUs = float64(polls)/took, gap.Seconds(), (cpuTime(self)-cpu).Seconds()/took
	out.Loaded, err = r.payments(ctx)
	return out, err
}

const (
	firsts        = 300 // orders whose first poll is timed, at most half of all
	firstsPerTime = 10 * time.Millisecond
)

// firstPolls places orders, 100 a second, and gives how long each took until its invoice was asked about.
func (r *polling) firstPolls(ctx context.Context) (Quantiles, error) {
	n := min(firsts, r.Invoices/2)
	r.say("placing %d orders, 100 a second", n)
	begun, took := time.Now(), []time.Duration{}
	g, placing := errgroup.WithContext(ctx)
	for i := range n {
		if !until(ctx, begun.Add(time.Duration(i)*firstsPerTime)) {
			return Quantiles{}, ctx.Err()
		}
		g.Go(func() error { return place(placing, r.Bus(), hinted, fmt.Sprint(i)) })
	}
	if err := g.Wait(); err != nil {
		return Quantiles{}, err
	}
	r.placed = n
	if err := r.provider.held(ctx, n); err != nil {
		return Quantiles{}, err
	}
	for i := range n {
		due := begun.Add(time.Duration(i) * firstsPerTime)
		took = append(took, r.provider.firstAnswer(r.bills.reference(fmt.Sprint(i))).Sub(due))
	}
	return quantiles(took), nil
}

// open places orders, half of each kind, and waits until all their invoices are polled.
func (r *polling) open(ctx context.Context, n int) (ids []string, err error) {
	want := r.placed - r.paid + n
	g, placing := errgroup.WithContext(ctx)
	g.SetLimit(shopsAtOnce)
	for range n {
		shop, id := []string{hinted, unhinted}[r.placed%2], fmt.Sprint(r.placed)
		r.placed++
		ids = append(ids, id)
		g.Go(func() error { return place(placing, r.Bus(), shop, id) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return ids, r.provider.held(ctx, want)
}
